//! `cargo run -p eagre-apiserver`: an API server to try things with, until Ctrl-C.

use std::error::Error;

use eagre_apiserver::ApiServer;

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Runtime::new()?;
    let server = runtime.block_on(ApiServer::private())?;
    let kubeconfig = server.folder().join("kubeconfig");
    server.write_kubeconfig(&kubeconfig, server.admin_token())?;
    println!("export KUBECONFIG={}", kubeconfig.display());
    signal_hook::iterator::Signals::new([signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM])?
        .forever()
        .next();
    Ok(())
}
