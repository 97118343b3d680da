//! What the guest gives up, so that no command can have it.

use std::io;

use rustix::thread::{CapabilitySet, CapabilitySets};

use crate::{files, process};

/// Marks every descriptor but the three standard ones to be closed when another program is started:
/// one that was opened outside is a way out, whoever gave it to us.
pub fn seal_descriptors() -> io::Result<()> {
    for path in files::list(&process::about("self", "fd")).map_err(io::Error::other)? {
        let name = path.file_name().and_then(|name| name.to_str());
        let Some(number) = name.and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        if number < 3 {
            continue;
        }
        #[expect(
            unsafe_code,
            reason = "nothing but the raw number names an inherited descriptor"
        )]
        // SAFETY: the descriptor is open, or was a moment ago, and is used for this call only.
        let fd = unsafe { rustix::fd::BorrowedFd::borrow_raw(number) };
        match rustix::io::fcntl_setfd(fd, rustix::io::FdFlags::CLOEXEC) {
            // The one that listed them is closed again.
            Ok(()) | Err(rustix::io::Errno::BADF) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// What the guest keeps until it is there: the second is to give up the first for its children.
pub const OF_GUEST: CapabilitySet = CapabilitySet::SYS_PTRACE.union(CapabilitySet::SETPCAP);

/// The guest's own part: from here on no program that it starts can have what is the guest's alone.
/// What else is left, commands have as well.
pub fn keep_for_ourselves() -> io::Result<()> {
    for capability in OF_GUEST.iter() {
        rustix::thread::remove_capability_from_bounding_set(capability)?;
    }
    let now = rustix::thread::capabilities(None)?;
    keep_only(now.permitted.difference(CapabilitySet::SETPCAP))
}

/// Keeps these capabilities of the present ones, and hands none on to other programs.
pub fn keep_only(capabilities: CapabilitySet) -> io::Result<()> {
    let sets = CapabilitySets {
        effective: capabilities,
        permitted: capabilities,
        inheritable: CapabilitySet::empty(),
    };
    Ok(rustix::thread::set_capabilities(None, sets)?)
}
