//! What no schema can say: the rules of one see an object's name and nothing else of its
//! metadata. A policy sees it, and goes where upstream's webhook does not run.

use k8s_openapi::api::admissionregistration::v1::{
    MatchResources, NamedRuleWithOperations, ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
    ValidatingAdmissionPolicyBindingSpec, ValidatingAdmissionPolicySpec, Validation,
};
use kube::api::ObjectMeta;

use crate::names::{BROKER, annotation::BROKER_CLASS};

const NAME: &str = "broker-class.eventing.knative.dev";

/// The class of a Broker never changes: its new owner would know nothing of what the old
/// one keeps for it.
pub fn broker_class() -> (ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding) {
    let metadata = ObjectMeta { name: Some(NAME.to_owned()), ..ObjectMeta::default() };
    let policy = ValidatingAdmissionPolicySpec {
        failure_policy: Some("Fail".to_owned()),
        match_constraints: Some(updates_of_brokers()),
        validations: Some(vec![Validation {
            expression: class_is_kept(),
            message: Some(format!(
                "metadata.annotations[{BROKER_CLASS}] never changes: delete the Broker and create it anew"
            )),
            ..Validation::default()
        }]),
        ..ValidatingAdmissionPolicySpec::default()
    };
    let binding = ValidatingAdmissionPolicyBindingSpec {
        policy_name: Some(NAME.to_owned()),
        validation_actions: Some(vec!["Deny".to_owned()]),
        ..ValidatingAdmissionPolicyBindingSpec::default()
    };
    (
        ValidatingAdmissionPolicy { metadata: metadata.clone(), spec: Some(policy), status: None },
        ValidatingAdmissionPolicyBinding { metadata, spec: Some(binding) },
    )
}

/// A Broker that had no class may be given one. Evaluated by an API server only: the
/// evaluator of the unit tests has no optional fields.
fn class_is_kept() -> String {
    let class = |object: &str| format!("{object}.metadata.?annotations[?'{BROKER_CLASS}'].orValue('')");
    format!("{} in ['', {}]", class("oldObject"), class("object"))
}

fn updates_of_brokers() -> MatchResources {
    let one = |text: &str| Some(vec![text.to_owned()]);
    MatchResources {
        resource_rules: Some(vec![NamedRuleWithOperations {
            api_groups: one(BROKER.group),
            api_versions: one(BROKER.version),
            resources: one(BROKER.plural),
            operations: one("UPDATE"),
            // The default, written out: a list is compared whole, and applying it again is to
            // change nothing.
            scope: Some("*".to_owned()),
            ..NamedRuleWithOperations::default()
        }]),
        ..MatchResources::default()
    }
}
