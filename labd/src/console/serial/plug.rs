//! Waiting until a device can be opened: inotify, and a look each second in case it missed it.

use std::future;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use tokio::io::unix::AsyncFd;
use tokio::time::timeout;

/// Between two looks at a path. Events make it quicker; a network file system may have none.
const PAUSE: Duration = Duration::from_secs(1);

/// As many symbolic links as Linux follows in one path.
const LINKS: usize = 40;

/// Returns when `path`, an absolute one, leads to something. If it does already, it could not be
/// opened: then when its owner or mode changes (udev sets them a moment after the device is
/// there), or else after a [`PAUSE`].
pub(super) async fn appears(path: &Path) {
    let watch = Watch::new();
    if path.exists() {
        watch.look_at(path, AddWatchFlags::IN_ATTRIB);
        watch.event().await;
        return;
    }
    loop {
        for folder in folders_of(path) {
            watch.look_at(&folder, AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MOVED_TO);
        }
        // Only now, so that what appears in between is an event.
        if path.exists() {
            return;
        }
        watch.event().await;
    }
}

/// Where something may come into being that makes `path` lead somewhere: the nearest folder that
/// exists, for the path itself and for every link on the way.
fn folders_of(path: &Path) -> Vec<PathBuf> {
    let mut folders = Vec::new();
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        let nearest = path.ancestors().skip(1).find(|folder| folder.is_dir());
        let Some(folder) = nearest.map(Path::to_owned) else { break };
        folders.push(folder.clone());
        let Ok(target) = path.read_link() else { break };
        path = folder.join(target);
    }
    folders
}

/// Inotify, unless the system has no more of it to give (128 a user, as it comes).
struct Watch(Option<AsyncFd<Events>>);

struct Events(Inotify);

impl AsRawFd for Events {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

impl Watch {
    #[expect(
        deprecated,
        reason = "its successor is unsafe; the descriptor is owned by what it wraps"
    )]
    fn new() -> Watch {
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK).ok();
        Watch(inotify.and_then(|inotify| AsyncFd::new(Events(inotify)).ok()))
    }

    fn look_at(&self, path: &Path, events: AddWatchFlags) {
        if let Some(inotify) = &self.0 {
            // What cannot be watched is looked at each second.
            let _ = inotify.get_ref().0.add_watch(path, events);
        }
    }

    /// Returns when something has happened to what is watched, or after a [`PAUSE`].
    async fn event(&self) {
        let event = async {
            match &self.0 {
                Some(inotify) => drain(inotify).await,
                None => future::pending().await,
            }
        };
        let _ = timeout(PAUSE, event).await;
    }
}

async fn drain(inotify: &AsyncFd<Events>) {
    let Ok(mut ready) = inotify.readable().await else { return future::pending().await };
    while ready.get_inner().0.read_events().is_ok() {}
    ready.clear_ready();
}
