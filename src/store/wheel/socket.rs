//! The socket in a run's directory at which the command that runs it is asked.

use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use crate::store::RunDir;

/// The longest path that a socket's address holds (`sun_path` in unix(7), with its last byte 0).
const LONGEST: usize = 107;

/// Listens in a run's directory, whose lock we hold: a socket that is there is a dead command's. Only
/// this user may connect.
pub fn bind(run: &RunDir) -> io::Result<UnixListener> {
    let path = run.wheel();
    if is_socket(&path) {
        std::fs::remove_file(&path)?;
    }
    let address = Address::of(&path)?;
    let listener = UnixListener::bind(&address.path)?;
    let private = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(&address.path, private)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Connects to the command that runs a run.
pub fn connect(run: &RunDir) -> io::Result<UnixStream> {
    let path = run.wheel();
    let address = Address::of(&path)?;
    UnixStream::connect(&address.path)
}

/// Removes the socket of a run, if there is one.
pub fn remove(run: &RunDir) {
    let path = run.wheel();
    if is_socket(&path) {
        // The next command removes it where this one cannot.
        let _ = std::fs::remove_file(&path);
    }
}

fn is_socket(path: &Path) -> bool {
    let meta = path.symlink_metadata();
    meta.is_ok_and(|meta| meta.file_type().is_socket())
}

/// A path that a socket's address holds.
struct Address {
    path: PathBuf,
    /// The directory that a long path is shortened by.
    _dir: Option<OwnedFd>,
}

impl Address {
    /// Log trees lie deep: through its open directory every socket has a short path.
    fn of(path: &Path) -> io::Result<Self> {
        let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        if path.as_os_str().len() <= LONGEST {
            return Ok(Self {
                path: path.to_owned(),
                _dir: None,
            });
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let dir = rustix::fs::open(dir, flags, Mode::empty())?;
        let path = Path::new("/proc/self/fd").join(dir.as_raw_fd().to_string());
        Ok(Self {
            path: path.join(name),
            _dir: Some(dir),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;
    use crate::files;
    use crate::store::LogTree;

    fn run_below(dir: &Path) -> RunDir {
        let run = LogTree::at(dir).run(&"a-solo".parse().unwrap());
        files::create_dir(&run.own()).unwrap();
        run
    }

    #[test]
    fn a_run_is_asked_however_deep_it_lies_and_by_its_user_only() {
        let root = tempfile::tempdir().unwrap();
        for depth in [0, 30] {
            let run = run_below(&root.path().join("deep/er".repeat(depth)));
            assert_eq!(run.wheel().as_os_str().len() > LONGEST, depth > 0);
            let listener = bind(&run).unwrap();
            listener.set_nonblocking(false).unwrap();
            let mode = run.wheel().metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            let mut client = connect(&run).unwrap();
            client.write_all(b"?").unwrap();
            let mut byte = [0];
            listener.accept().unwrap().0.read_exact(&mut byte).unwrap();
            assert_eq!(&byte, b"?");
            // A dead command's socket is in nobody's way.
            drop(listener);
            assert_eq!(
                connect(&run).unwrap_err().kind(),
                io::ErrorKind::ConnectionRefused
            );
            drop(bind(&run).unwrap());
            remove(&run);
            assert!(!run.wheel().exists());
            remove(&run);
        }
    }

    #[test]
    fn what_is_no_socket_is_left_alone() {
        let root = tempfile::tempdir().unwrap();
        let run = run_below(root.path());
        files::write_atomic(&run.wheel(), b"mine").unwrap();
        assert!(bind(&run).is_err());
        remove(&run);
        assert_eq!(files::read(&run.wheel()).unwrap(), b"mine");
    }
}
