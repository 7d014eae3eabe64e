//! The requests of the controller: a status, what another class left behind, an event.

use std::time::Duration;

use eagre_api::names::{BROKER, SUBSCRIPTION, TRIGGER};
use eagre_api::status::ConditionStatus;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::api::{
    Api, ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams,
    Preconditions,
};
use kube::runtime::events::{Event, EventType, Recorder};
use serde_json::Value as Json;
use tracing::{debug, info, warn};

use super::controller::Wanted;
use super::leader::Leadership;
use super::notice::trim;
use super::writes::{ObjectKey, Outcome};
use crate::index::Kind;
use crate::limits::API_REQUEST_TIMEOUT;

/// Labels of upstream's Subscription for a trigger.
const TRIGGER_LABEL: &str = "eventing.knative.dev/trigger";

/// What writing needs.
#[derive(Clone)]
pub struct Writer {
    /// The API server.
    pub client: Client,
    /// Who may write.
    pub leadership: Leadership,
    /// Where events on objects come from.
    pub recorder: Recorder,
}

fn resource(kind: eagre_api::names::Kind) -> ApiResource {
    let gvk = GroupVersionKind::gvk(kind.group, kind.version, kind.kind);
    ApiResource::from_gvk_with_plural(&gvk, kind.plural)
}

impl Writer {
    /// Writes a status; how that ended, and the object as it is now.
    pub async fn write(&self, key: &ObjectKey, wanted: &Wanted, patch: &Json) -> (Outcome, Option<Json>) {
        match tokio::time::timeout(API_REQUEST_TIMEOUT, self.attempt(key, wanted, patch)).await {
            Ok(Ok(ended)) => ended,
            Ok(Err(error)) => (outcome(key, &error), None),
            Err(_) => (Outcome::Busy(None), None),
        }
    }

    async fn attempt(
        &self,
        key: &ObjectKey,
        wanted: &Wanted,
        patch: &Json,
    ) -> kube::Result<(Outcome, Option<Json>)> {
        let (kind, (namespace, name)) = key;
        let names = if *kind == Kind::Broker { BROKER } else { TRIGGER };
        if wanted.takes_over && *kind == Kind::Trigger {
            self.remove_subscriptions(namespace, name, &wanted.uid).await?;
        }
        let resource = resource(names);
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), namespace, &resource);
        // As late as can be.
        if !self.leadership.is_held() {
            return Ok((Outcome::Conflict, None));
        }
        let written = api.patch_status(name, &PatchParams::default(), &Patch::Merge(patch)).await?;
        self.tell(key, wanted, names).await;
        let json = serde_json::to_value(written).unwrap_or_default();
        Ok((Outcome::Done, Some(trim(&resource.api_version, &resource.kind, json))))
    }

    /// What a broker of upstream's class made for a trigger: a Subscription, which nobody
    /// else would ever remove (contract 10.1).
    async fn remove_subscriptions(&self, namespace: &str, trigger: &str, uid: &str) -> kube::Result<()> {
        let resource = resource(SUBSCRIPTION);
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), namespace, &resource);
        let labelled = ListParams::default().labels(&format!("{TRIGGER_LABEL}={trigger}"));
        let found = match api.list_metadata(&labelled).await {
            Ok(found) => found,
            // There are no Subscriptions in this cluster.
            Err(kube::Error::Api(status)) if status.code == 404 => return Ok(()),
            // What is left behind is no reason to leave the trigger without a status.
            Err(kube::Error::Api(status)) if status.code == 403 => {
                warn!("Subscriptions of trigger {namespace}/{trigger} cannot be looked for: {status}");
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        for subscription in found {
            let metadata = subscription.metadata;
            let owners = metadata.owner_references.unwrap_or_default();
            let is_its = owners.iter().any(|owner| owner.uid == uid && owner.controller == Some(true));
            let (Some(name), true) = (metadata.name, is_its) else { continue };
            if !self.leadership.is_held() {
                return Ok(());
            }
            let uid = Preconditions { uid: metadata.uid, resource_version: None };
            let parameters = DeleteParams { preconditions: Some(uid), ..DeleteParams::default() };
            match api.delete(&name, &parameters).await {
                Ok(_) => info!("Subscription {namespace}/{name} removed: trigger {trigger} is Eagre's now"),
                Err(kube::Error::Api(status)) if status.code == 404 || status.code == 409 => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// An event on the object where it became ready again, or no more.
    async fn tell(&self, key: &ObjectKey, wanted: &Wanted, names: eagre_api::names::Kind) {
        let is = wanted.ready.status;
        let (type_, reason) = match (wanted.was_ready, is) {
            (Some(ConditionStatus::True), ConditionStatus::False) => (EventType::Warning, "NotReady"),
            (Some(ConditionStatus::False), ConditionStatus::True) => (EventType::Normal, "Ready"),
            _ => return,
        };
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let note = match is {
            ConditionStatus::True => format!("{} is ready again", names.kind),
            _ => format!("{}: {}", text(&wanted.ready.reason), text(&wanted.ready.message)),
        };
        let event = Event {
            type_,
            reason: format!("{}{reason}", names.kind),
            // The API server takes 1024 bytes.
            note: Some(note.chars().take(250).collect()),
            action: "Reconcile".to_owned(),
            secondary: None,
        };
        let object = ObjectReference {
            api_version: Some(names.api_version()),
            kind: Some(names.kind.to_owned()),
            namespace: Some(key.1.0.clone()),
            name: Some(key.1.1.clone()),
            uid: Some(wanted.uid.clone()),
            ..ObjectReference::default()
        };
        if let Err(error) = self.recorder.publish(&event, &object).await {
            // The status says the same.
            debug!("no event on {key:?}: {error}");
        }
    }
}

fn outcome(key: &ObjectKey, error: &kube::Error) -> Outcome {
    let (kind, (namespace, name)) = key;
    match error {
        // It is gone or different, which will be heard of.
        kube::Error::Api(status) if status.code == 404 || status.code == 409 => Outcome::Conflict,
        kube::Error::Api(status) if status.code == 429 || status.code >= 500 => {
            let seconds = status.details.as_ref().map_or(0, |details| details.retry_after_seconds);
            debug!("status of {kind:?} {namespace}/{name}: {error}");
            Outcome::Busy(Some(Duration::from_secs(u64::from(seconds))).filter(|told| !told.is_zero()))
        }
        kube::Error::Api(_) => {
            warn!("the status of {kind:?} {namespace}/{name} cannot be written: {error}");
            Outcome::Refused
        }
        _ => {
            debug!("status of {kind:?} {namespace}/{name}: {error}");
            Outcome::Busy(None)
        }
    }
}
