//! Destinations: where events go, as written (contract 4.5). Resolving them is
//! the compiler's job.

use super::diagnostic::{Located, Place};
use super::name::{name_problem, namespace_problem};
use super::reader::{Reader, find};
use super::yaml::{Field, Node};

/// A destination: a reference, a URI, or a URI relative to a reference.
#[derive(Clone, Debug)]
pub struct Destination {
    /// Where it is written.
    pub place: Place,
    /// The object it names.
    pub reference: Option<Reference>,
    /// The URI, absolute unless there is a reference.
    pub uri: Option<Located<String>>,
    /// Certificates to trust there, in place of those that the object tells.
    pub ca_certs: Option<String>,
    /// Audience of a token for it, in place of the one that the object tells.
    pub audience: Option<String>,
}

/// A reference to an object.
#[derive(Clone, Debug)]
pub struct Reference {
    /// Where it is written.
    pub place: Place,
    /// Group and version.
    pub api_version: String,
    /// Kind.
    pub kind: String,
    /// Namespace; the owner's if it is left out.
    pub namespace: Option<String>,
    /// Name.
    pub name: String,
    /// Which of its addresses, by name; the first if it is left out.
    pub address: Option<String>,
}

const HINT: &str = "give `uri: http://HOST:PORT/PATH`, or `ref` with apiVersion, kind and name";

impl Reader<'_> {
    /// Reads a destination.
    pub fn destination(&mut self, node: &Node, path: &str) -> Option<Destination> {
        let fields = self.mapping(node, path)?;
        self.unknown(fields, path, &["ref", "uri", "CACerts", "audience"]);
        for (name, what) in [("CACerts", "TLS to subscribers"), ("audience", "OIDC")] {
            if let Some(field) = fields.iter().find(|field| field.name == name) {
                let message = format!("`{path}.{name}` has no effect: {what} is not in this version");
                self.warning(field.at, message, "remove it");
            }
        }
        let errors = self.errors;
        let reference =
            find(fields, "ref").and_then(|node| self.reference(node, &format!("{path}.ref"), HINT));
        let uri = find(fields, "uri").and_then(|node| self.string(node, &format!("{path}.uri")));
        if self.errors > errors {
            return None;
        }
        if reference.is_none() && uri.as_ref().is_none_or(|uri| uri.value.is_empty()) {
            self.error(node.at, format!("`{path}` has neither `ref` nor `uri`"), HINT);
            return None;
        }
        if let Some(uri) = &uri {
            self.check_uri(uri, reference.is_some(), path)?;
        }
        let mut text = |name: &str| {
            let node = find(fields, name)?;
            self.string(node, &format!("{path}.{name}")).map(|text| text.value)
        };
        let (ca_certs, audience) = (text("CACerts"), text("audience"));
        Some(Destination { place: self.place(node.at), reference, uri, ca_certs, audience })
    }

    /// Absolute where it stands alone, relative where it follows a reference.
    fn check_uri(&mut self, uri: &Located<String>, has_reference: bool, path: &str) -> Option<()> {
        let at = (uri.place.line, uri.place.column);
        let text = &uri.value;
        let absolute = has_scheme(text);
        if has_reference && (absolute || text.starts_with("//")) {
            let message = format!("`{path}.uri` must be relative, because `ref` gives the host");
            self.error(at, message, "keep the path only, or remove `ref`");
            return None;
        }
        if !has_reference && !absolute {
            let hint = match text.starts_with('/') {
                true => "write http://HOST:PORT in front of it".to_owned(),
                false => format!("write http://{text}"),
            };
            self.error(at, format!("`{path}.uri` is not absolute: `{text}` has no scheme and host"), hint);
            return None;
        }
        Some(())
    }

    /// Reads a reference; `hint` says what to write where a part of it is missing.
    pub fn reference(&mut self, node: &Node, path: &str, hint: &str) -> Option<Reference> {
        let fields = self.mapping(node, path)?;
        self.unknown(fields, path, &["apiVersion", "kind", "name", "namespace", "address"]);
        let mut part = |name| self.required_string(fields, name, &format!("{path}.{name}"), node.at, hint);
        let (api_version, kind, name) = (part("apiVersion"), part("kind"), part("name"));
        if let Some(name) = &name {
            self.check_name(name, &format!("{path}.name"), name_problem);
        }
        let namespace = self.optional_namespace(fields, path);
        let address = find(fields, "address")
            .and_then(|node| self.string(node, &format!("{path}.address")))
            .map(|address| address.value);
        Some(Reference {
            place: self.place(node.at),
            api_version: api_version?.value,
            kind: kind?.value,
            namespace,
            name: name?.value,
            address,
        })
    }

    /// The `namespace` field of a mapping, checked.
    pub fn optional_namespace(&mut self, fields: &[Field], path: &str) -> Option<String> {
        let path = format!("{path}.namespace");
        let namespace = self.string(find(fields, "namespace")?, &path)?;
        self.check_name(&namespace, &path, namespace_problem);
        Some(namespace.value)
    }

    /// Reports a name that an API server would not take.
    pub fn check_name(
        &mut self,
        name: &Located<String>,
        path: &str,
        problem: fn(&str) -> Option<&'static str>,
    ) {
        if let Some(hint) = problem(&name.value) {
            let at = (name.place.line, name.place.column);
            self.error(at, format!("`{path}` is not a valid name: `{}`", name.value), hint);
        }
    }
}

/// Whether a URI begins `scheme://` (RFC 3986 section 3.1).
fn has_scheme(uri: &str) -> bool {
    uri.split_once("://").is_some_and(|(scheme, _)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    })
}
