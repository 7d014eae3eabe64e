//! One mount: how it begins, and how it ends even where its users do not.

use std::{
    ffi::CString,
    fs::{self, File},
    io,
    os::fd::AsRawFd,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use fuser::{BackgroundSession, Config, Session, SessionACL};
use rustix::{
    io::Errno,
    mount::{MountFlags, UnmountFlags, mount, unmount},
    process::{getegid, geteuid},
};

use crate::{error::Error, server::Server, shared::Shared};

const DEVICE: &str = "/dev/fuse";
/// What stands in the table of mounts, to find those that a killed harness left.
const SOURCE: &str = "eagre-faultdisk";
const FILE_SYSTEM: &str = "fuse.eagre-faultdisk";

/// How long [`Mount::end`] waits for users that are going away: a killed process
/// closes its files when the last operation of its rings has ended. Who takes longer
/// does not go away.
const BUSY_PATIENCE: Duration = Duration::from_secs(60);
/// Between two attempts.
const BUSY_RETRY: Duration = Duration::from_millis(10);

/// A mount and the thread that serves it.
pub(crate) struct Mount {
    pub(crate) path: PathBuf,
    shared: Arc<Shared>,
    session: BackgroundSession,
}

impl Mount {
    pub(crate) fn begin(path: &Path, shared: &Arc<Shared>) -> Result<Self, Error> {
        clear_dead(path)?;
        let open = File::options().read(true).write(true).open(DEVICE);
        let device = open.map_err(|source| Error::Device { source })?;
        let options = format!(
            "fd={},rootmode=40755,user_id={},group_id={},allow_other,default_permissions",
            device.as_raw_fd(),
            geteuid().as_raw(),
            getegid().as_raw()
        );
        let options = CString::new(options).expect("no option has a zero byte");
        let flags = MountFlags::NODEV | MountFlags::NOSUID | MountFlags::NOATIME;
        mount(SOURCE, path, FILE_SYSTEM, flags, options.as_c_str()).map_err(failed(path, "mount"))?;
        let server = Server { shared: Arc::clone(shared), mount: shared.lock().mounts_ended };
        let session = Session::from_fd(server, device.into(), SessionACL::All, Config::default());
        match session.and_then(Session::spawn) {
            Ok(session) => Ok(Self { path: path.to_owned(), shared: Arc::clone(shared), session }),
            Err(source) => {
                // The device is closed, so that nobody can be in there.
                let _ = unmount(path, UnmountFlags::DETACH);
                Err(failed(path, "serve")(source))
            }
        }
    }

    /// Unmounts as one who waits for the users. What they changed is there for
    /// the next mount, and as unsynced as it was.
    pub(crate) fn end(&self) -> Result<(), Error> {
        let began = Instant::now();
        loop {
            match unmount(&self.path, UnmountFlags::empty()) {
                Ok(()) => return Ok(()),
                Err(Errno::BUSY) if began.elapsed() < BUSY_PATIENCE => thread::sleep(BUSY_RETRY),
                Err(errno) => return Err(failed(&self.path, "unmount")(errno)),
            }
        }
    }

    /// Takes the mount away from its users. What they do from now on fails, and
    /// so does what they are waiting for.
    pub(crate) fn tear(&self) -> Result<(), Error> {
        // FORCE ends the connection, DETACH the mount, though files be open.
        let flags = UnmountFlags::FORCE | UnmountFlags::DETACH;
        unmount(&self.path, flags).map_err(failed(&self.path, "tear off"))
    }

    /// After its end: waits for the thread, and shuts out the syncs that still wait.
    pub(crate) fn ended(self) {
        self.shared.lock().mounts_ended += 1;
        self.shared.changed.notify_all();
        // It ends when the kernel closes the connection; with which error does
        // not matter any more.
        let _ = self.session.join();
        self.shared.lock().tree.forget_all();
    }
}

/// Clears a mount whose server is dead, so that a harness that was killed does
/// not stand in the way of the next.
fn clear_dead(path: &Path) -> Result<(), Error> {
    let is_dead = |error: &io::Error| error.raw_os_error() == Some(Errno::NOTCONN.raw_os_error());
    if fs::metadata(path).is_err_and(|error| is_dead(&error)) {
        unmount(path, UnmountFlags::DETACH).map_err(failed(path, "clear the dead mount of"))?;
    }
    Ok(())
}

fn failed<E: Into<io::Error>>(path: &Path, doing: &'static str) -> impl FnOnce(E) -> Error {
    let path = path.to_owned();
    move |source| Error::Mount { path, doing, source: source.into() }
}
