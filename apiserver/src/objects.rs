//! What a test asks of its server first: a client, a kubeconfig, a namespace, an
//! account without rights, the CRDs.

use std::{fs, path::Path, time::Duration};

use k8s_openapi::{
    api::{
        authentication::v1::{TokenRequest, TokenRequestSpec},
        core::v1::{Namespace, ServiceAccount},
    },
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, Client, Config,
    api::{ObjectMeta, Patch, PatchParams, PostParams},
    runtime::{conditions::is_crd_established, wait::await_condition},
};

use crate::{ApiServer, Error};

/// How long a CRD may take until it is served; it is a moment on a machine with
/// nothing else to do.
const ESTABLISHED: Duration = Duration::from_secs(120);

impl ApiServer {
    /// A client with a token. It belongs to the runtime in which it is made.
    ///
    /// # Errors
    /// The server's certificate cannot be read.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn client(&self, token: &str) -> Result<Client, Error> {
        let url = self.url().parse().map_err(Error::request(format!("reading {}", self.url())))?;
        let mut config = Config::new(url);
        config.root_cert_file = Some(self.ca());
        config.auth_info.token = Some(token.to_owned().into());
        Client::try_from(config).map_err(Error::request("making a client"))
    }

    /// A client that may do everything.
    ///
    /// # Errors
    /// As for [`ApiServer::client`].
    pub fn admin(&self) -> Result<Client, Error> {
        self.client(self.admin_token())
    }

    /// Writes a kubeconfig with a token. It points to the certificate in the server's
    /// folder and is of use for as long as the server.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_kubeconfig(&self, file: &Path, token: &str) -> Result<(), Error> {
        let config = serde_json::json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": {"server": self.url(), "certificate-authority": self.ca()}}],
            "users": [{"name": "test", "user": {"token": token}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
            "current-context": "test",
        });
        // JSON is YAML.
        fs::write(file, format!("{config:#}\n"))
            .map_err(Error::machine(format!("writing {}", file.display())))
    }

    /// Makes a namespace that no other test has.
    ///
    /// # Errors
    /// The server's.
    pub async fn namespace(&self) -> Result<String, Error> {
        let metadata = ObjectMeta { generate_name: Some("test-".into()), ..Default::default() };
        let namespace = Namespace { metadata, ..Default::default() };
        let made = Api::all(self.admin()?).create(&PostParams::default(), &namespace).await;
        Ok(made.map_err(Error::request("making a namespace"))?.metadata.name.unwrap_or_default())
    }

    /// Makes a service account, if it is not there, and yields a token for it. It may do
    /// what roles that are bound to it allow, and nothing else.
    ///
    /// # Errors
    /// The server's.
    pub async fn service_account(&self, namespace: &str, name: &str) -> Result<String, Error> {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.admin()?, namespace);
        let what = || format!("a token for service account {namespace}/{name}");
        let account = ServiceAccount {
            metadata: ObjectMeta { name: Some(name.into()), ..Default::default() },
            ..Default::default()
        };
        let made = accounts.patch(name, &PatchParams::apply("tests"), &Patch::Apply(&account)).await;
        made.map_err(Error::request(what()))?;
        let request = TokenRequest {
            spec: TokenRequestSpec { expiration_seconds: Some(86_400), ..Default::default() },
            ..Default::default()
        };
        let answer = accounts.create_token_request(name, &PostParams::default(), &request).await;
        let status = answer.map_err(Error::request(what()))?.status;
        Ok(status.map(|status| status.token).unwrap_or_default())
    }

    /// Applies the CRDs in a YAML text of one or more documents, and waits until each is
    /// established. Tests may do this beside each other.
    ///
    /// # Errors
    /// The text is not CRDs, or the server's.
    pub async fn apply_crds(&self, yaml: &str) -> Result<(), Error> {
        let crds: Vec<serde_json::Value> =
            serde_saphyr::from_multiple(yaml).map_err(Error::request("reading CRDs"))?;
        let api: Api<CustomResourceDefinition> = Api::all(self.admin()?);
        for crd in crds {
            let name = crd["metadata"]["name"].as_str().unwrap_or_default();
            // As written: the type here may know less than the server.
            let applied = api.patch(name, &PatchParams::apply("tests").force(), &Patch::Apply(&crd)).await;
            applied.map_err(Error::request(format!("applying the CRD `{name}`")))?;
            let established = await_condition(api.clone(), name, is_crd_established());
            let waiting = format!("waiting until the CRD `{name}` is established");
            let in_time = tokio::time::timeout(ESTABLISHED, established).await;
            in_time.map_err(Error::request(waiting.clone()))?.map_err(Error::request(waiting))?;
        }
        Ok(())
    }
}
