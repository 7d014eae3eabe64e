//! Kubernetes objects: which ones are ours, and what all have in common.

use eagre_snapshot::{ANNOTATIONS_BYTES_MAX, ANNOTATIONS_MAX, Annotations};

use super::broker::Broker;
use super::config_map::ConfigMap;
use super::diagnostic::{Diagnostic, Located, Place};
use super::name::{name_problem, namespace_problem};
use super::reader::{Reader, find, is_close};
use super::trigger::{BrokerName, Trigger};
use super::yaml::{Field, Node, Value};

/// The API version of brokers and triggers.
pub const API_VERSION: &str = "eventing.knative.dev/v1";
const GROUP: &str = "eventing.knative.dev";

/// Kinds of [`GROUP`] that Eagre acts on.
const KINDS: &[&str] = &["Broker", "Trigger"];

/// Kinds of [`GROUP`] that exist upstream and are not taken in yet.
const OTHER_KINDS: &[&str] = &["EventPolicy", "EventTransform", "EventType", "RequestReply"];

/// API groups whose objects stand next to brokers as a matter of course.
const SILENT_GROUPS: &[&str] = &["", "apps", "batch", "autoscaling", "policy", "serving.knative.dev"];

/// The kind of a broker's `spec.config`, of API version `v1`.
pub const CONFIG_MAP: &str = "ConfigMap";

/// The class that is ours, as in annotation `CLASS_ANNOTATION`.
pub const CLASS: &str = "Eagre";
const CLASS_ANNOTATION: &str = "eventing.knative.dev/broker.class";

/// Names an object that a trigger waits for.
const DEPENDENCY_ANNOTATION: &str = "knative.dev/dependency";

/// What our own annotations begin with.
const OWN_ANNOTATIONS: &str = "eagre.eventing.knative.dev/";

/// Fields of every object.
pub const OBJECT_FIELDS: &[&str] = &["apiVersion", "kind", "metadata", "spec", "status"];

/// The namespace of objects that name none.
const DEFAULT_NAMESPACE: &str = "default";

/// An object of a manifest.
#[derive(Clone, Debug)]
pub enum Object {
    /// A broker.
    Broker(Box<Broker>),
    /// A trigger.
    Trigger(Box<Trigger>),
    /// A ConfigMap, of a broker or of another program.
    ConfigMap(Box<ConfigMap>),
    /// A broker or trigger with an error in itself; only from an API server, as a
    /// file with an error is not used at all.
    Broken(Box<Broken>),
    /// An object that is left alone, and what to say about its kind, once.
    Ignored(Diagnostic),
}

/// What is left of a broker or trigger that has an error in itself.
#[derive(Clone, Debug)]
pub struct Broken {
    /// Which one.
    pub metadata: Metadata,
    /// Whether it is a trigger; else it is a broker.
    pub is_trigger: bool,
    /// The broker of a trigger, unless that is what is wrong.
    pub broker: Option<BrokerName>,
    /// What is wrong with it; never empty.
    pub errors: Vec<Diagnostic>,
}

/// What identifies an object.
#[derive(Clone, Debug)]
pub struct Metadata {
    /// Where the name is written.
    pub place: Place,
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Kubernetes' UID, if the manifest was taken from a cluster.
    pub uid: Option<Located<String>>,
    /// How often its spec has changed, in a cluster; else 0.
    pub generation: i64,
    /// Annotation `eventing.knative.dev/broker.class`.
    pub class: Option<Located<String>>,
    /// Annotation `knative.dev/dependency`, as written.
    pub dependency: Option<Located<String>>,
    /// Annotations whose names begin with `eagre.eventing.knative.dev/`.
    pub annotations: Annotations,
}

impl Metadata {
    /// Whether a broker is served by Eagre: without a class it is.
    pub fn is_ours(&self) -> bool {
        self.class.as_ref().is_none_or(|class| class.value.is_empty() || class.value == CLASS)
    }
}

impl Reader<'_> {
    /// Reads one document, or every item of one that is a list.
    pub fn object(&mut self, document: &Node) {
        if self.read_object(document).is_none() {
            self.gaps = true;
        }
    }

    /// `None` if it cannot be read.
    fn read_object(&mut self, document: &Node) -> Option<()> {
        let fields = self.mapping(document, "document")?;
        let hint = "every object begins with apiVersion and kind";
        let version = self.required_string(fields, "apiVersion", "apiVersion", document.at, hint);
        let kind = self.required_string(fields, "kind", "kind", document.at, hint);
        let (version, kind) = (version?, kind?);
        match (version.value.as_str(), kind.value.as_str()) {
            ("v1", "List") => {
                let items = find(fields, "items").map(|node| self.sequence(node, "items"));
                items.unwrap_or(Some(&[]))?.iter().for_each(|item| self.object(item));
            }
            (API_VERSION, "Broker") => {
                let broker = self.broker(document, fields)?;
                self.objects.push(Object::Broker(Box::new(broker)));
            }
            (API_VERSION, "Trigger") => {
                let trigger = self.trigger(document, fields);
                self.objects.extend(trigger.map(|trigger| Object::Trigger(Box::new(trigger))));
            }
            ("v1", CONFIG_MAP) => {
                let config_map = self.config_map(document, fields);
                self.objects.extend(config_map.map(|config_map| Object::ConfigMap(Box::new(config_map))));
            }
            _ => match foreign(&version, &kind) {
                Some(error) if error.is_error() => {
                    self.report(error);
                    return None;
                }
                remark => self.objects.extend(remark.map(Object::Ignored)),
            },
        }
        Some(())
    }

    /// What is left of a broker or trigger with `errors`: whose it is.
    pub fn broken(&mut self, document: &Node, errors: Vec<Diagnostic>) -> Option<Broken> {
        let fields = self.mapping(document, "document")?;
        let metadata = self.metadata(document, fields)?;
        let spec = find(fields, "spec").and_then(|node| Some((node, self.mapping(node, "spec")?)));
        let broker = spec.and_then(|(node, spec)| self.broker_name(node, spec));
        let is_trigger = matches!(find(fields, "kind")?.value, Value::String(ref kind) if kind == "Trigger");
        let broker = broker.filter(|_| is_trigger);
        Some(Broken { metadata, is_trigger, broker, errors })
    }

    /// Reads `metadata`.
    pub fn metadata(&mut self, document: &Node, fields: &[Field]) -> Option<Metadata> {
        let hint = "give the object a name under `metadata`";
        let Some(node) = find(fields, "metadata") else {
            self.error(document.at, "`metadata` is missing", hint);
            return None;
        };
        let metadata = self.mapping(node, "metadata")?;
        if let Some(field) = metadata.iter().find(|field| field.name == "generateName") {
            self.error(field.at, "`metadata.generateName` needs an API server", "write `name`");
            return None;
        }
        let name = self.required_string(metadata, "name", "metadata.name", node.at, hint)?;
        self.check_name(&name, "metadata.name", name_problem);
        let uid = find(metadata, "uid").and_then(|node| self.string(node, "metadata.uid"));
        let namespace = match find(metadata, "namespace") {
            None => DEFAULT_NAMESPACE.to_owned(),
            Some(node) => {
                let namespace = self.string(node, "metadata.namespace")?;
                self.check_name(&namespace, "metadata.namespace", namespace_problem);
                namespace.value
            }
        };
        let fields =
            find(metadata, "annotations").and_then(|node| self.mapping(node, "metadata.annotations"));
        let fields = fields.unwrap_or_default();
        let mut annotation = |name: &str| {
            find(fields, name).and_then(|node| self.string(node, &format!("metadata.annotations.{name}")))
        };
        let (class, dependency) = (annotation(CLASS_ANNOTATION), annotation(DEPENDENCY_ANNOTATION));
        let annotations = self.own_annotations(fields);
        let generation = match find(metadata, "generation").map(|node| &node.value) {
            Some(Value::Integer(generation)) => *generation,
            _ => 0,
        };
        let (place, name) = (name.place, name.value);
        Some(Metadata { place, namespace, name, uid, generation, class, dependency, annotations })
    }

    /// Those of the annotations that are meant for Eagre, within the limits of
    /// a snapshot.
    fn own_annotations(&mut self, fields: &[Field]) -> Annotations {
        let mut annotations = Annotations::new();
        let mut bytes = 0;
        for field in fields.iter().filter(|field| field.name.starts_with(OWN_ANNOTATIONS)) {
            let path = format!("metadata.annotations.{}", field.name);
            let Some(text) = self.string(&field.node, &path) else { continue };
            let message = format!("annotation `{}` has no effect in this version", field.name);
            self.warning(field.at, message, "remove it");
            bytes += field.name.len() + text.value.len();
            annotations.insert(field.name.clone(), text.value);
            let limit = match (annotations.len() > ANNOTATIONS_MAX, bytes > ANNOTATIONS_BYTES_MAX) {
                (true, _) => format!("{ANNOTATIONS_MAX} annotations"),
                (_, true) => format!("{ANNOTATIONS_BYTES_MAX} bytes of annotations"),
                _ => continue,
            };
            let message = format!("more than {limit} that begin with `{OWN_ANNOTATIONS}`");
            self.error(field.at, message, "remove some");
            break;
        }
        annotations
    }

    /// `spec`, which must be there.
    pub fn spec<'n>(&mut self, document: &Node, fields: &'n [Field]) -> Option<(&'n Node, &'n [Field])> {
        self.unknown(fields, "object", OBJECT_FIELDS);
        let Some(node) = find(fields, "spec") else {
            self.error(document.at, "`spec` is missing", "add `spec:` with the fields below it");
            return None;
        };
        Some((node, self.mapping(node, "spec")?))
    }
}

/// What to say about an object that is neither a broker nor a trigger of the
/// version we know.
fn foreign(version: &Located<String>, kind: &Located<String>) -> Option<Diagnostic> {
    let (group, number) = version.value.split_once('/').unwrap_or(("", &version.value));
    let name = kind.value.as_str();
    let is_known = KINDS.contains(&name);
    let hint = format!("write {API_VERSION}");
    if group == GROUP && is_known {
        let message = format!("version {number} of {name} is not served");
        return Some(Diagnostic::error(&version.place, message, hint));
    }
    // Another project may have a Broker of its own; a group like `eventing`, or none, is a slip.
    if is_known && !group.contains('.') {
        let message = format!("{name} is not of API version {}", version.value);
        return Some(Diagnostic::error(&version.place, message, hint));
    }
    if group == GROUP && !OTHER_KINDS.contains(&name) {
        let hint = match KINDS.iter().find(|known| is_close(known, name)) {
            Some(known) => format!("did you mean {known}?"),
            None => format!("the kinds of {GROUP} are Broker, Trigger, {}", OTHER_KINDS.join(", ")),
        };
        return Some(Diagnostic::error(&kind.place, format!("{} has no kind {name}", version.value), hint));
    }
    if SILENT_GROUPS.contains(&group) || group.ends_with(".k8s.io") {
        return None;
    }
    let hint = "Eagre reads Broker and Trigger";
    if group.ends_with(".knative.dev") {
        let message = format!("kind {name} of {group} is not in this version; it is ignored");
        return Some(Diagnostic::warning(&kind.place, message, hint));
    }
    Some(Diagnostic::info(&kind.place, format!("kind {name} of {} is ignored", version.value), hint))
}
