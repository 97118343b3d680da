//! The users and groups that there are in a sandbox: one, or a range that the machine gives this user.

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use rustix::fd::OwnedFd;
use rustix::process::{Pid, Resource, WaitOptions, waitpid};
use rustix::thread::UnshareFlags;

use super::confine::{fork, leave, limit};
use super::plan::{IdRange, IdRanges};
use crate::{files, process};

/// So many ids there must be beside root's: `nobody` is the last that packages know.
const LEAST: u32 = 65534;
/// More are of no use: they are what a container has.
const MOST: u32 = 65535;

/// Which ids there are in a sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdCount {
    /// Root's alone.
    One,
    /// As many as a container has.
    Many,
}

/// What this machine gives this user, or why there is one id only.
pub fn ranges() -> Result<&'static IdRanges, &'static str> {
    static RANGES: OnceLock<Result<IdRanges, String>> = OnceLock::new();
    let found = RANGES.get_or_init(|| {
        let user = rustix::process::getuid();
        if user.is_root() {
            return Err("a sandbox that root starts is nobody's, who has one id".to_owned());
        }
        let names = names(user.as_raw());
        let range = |file: &str, name: &str| -> Result<IdRange, String> {
            let text = files::read_text(Path::new(file)).unwrap_or_default();
            let (first, count) = range_in(&text, &names).ok_or_else(|| {
                format!("{file} gives this user no {LEAST} ids (`usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER`, by root)")
            })?;
            let program = process::on_path(name).ok_or_else(|| {
                format!("there is no `{name}` (on Debian: `apt-get install uidmap`)")
            })?;
            Ok(IdRange { program, first, count })
        };
        Ok(IdRanges {
            users: range("/etc/subuid", "newuidmap")?,
            groups: range("/etc/subgid", "newgidmap")?,
        })
    });
    found.as_ref().map_err(String::as_str)
}

/// What these files call a user: its number, and its name where that is to be had.
fn names(user: u32) -> Vec<String> {
    let users = files::read_text(Path::new("/etc/passwd")).unwrap_or_default();
    let number = user.to_string();
    let name = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1) == Some(&number)).then(|| name.to_owned())
    });
    // Users of a directory service stand in no file; the programs check the name.
    let name = name.or_else(|| std::env::var("USER").ok());
    name.into_iter().chain([number]).collect()
}

/// The largest range of a user in a file like `/etc/subuid` (subuid(5)).
fn range_in(text: &str, names: &[String]) -> Option<(u32, u32)> {
    let ranges = text.lines().filter_map(|line| {
        let mut fields = line.trim().split(':');
        let is_ours = fields
            .next()
            .is_some_and(|user| names.iter().any(|name| name == user));
        let (first, count) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        is_ours.then_some((first, u32::min(count, MOST)))
    });
    ranges
        .filter(|(_, count)| *count >= LEAST)
        .max_by_key(|(_, count)| *count)
}

/// Goes into new namespaces of these kinds, with users and groups of their own. The user becomes root
/// of the new user namespace, which has no power outside of it. In many ids `pids` is how many processes
/// all users have together.
///
/// Where the range cannot be mapped, one id is.
pub fn unshare(flags: UnshareFlags, ranges: Option<&IdRanges>, pids: u32) -> io::Result<IdCount> {
    let (user, group) = (rustix::process::getuid(), rustix::process::getgid());
    let (user, group) = (user.as_raw(), group.as_raw());
    let Some(ranges) = ranges else {
        leave(flags | UnshareFlags::NEWUSER)?;
        map_group(group)?;
        return map_user(user).map(|()| IdCount::One);
    };
    let helper = Helper::ready(|us| map_ranges(us, ranges, user, group))?;
    leave(UnshareFlags::NEWUSER)?;
    let missing = helper.done()?;
    if missing == 0 {
        be_counted_together(ranges, pids, flags)?;
        return Ok(IdCount::Many);
    }
    if missing & NO_GROUPS != 0 {
        map_group(group)?;
    }
    if missing & NO_USERS != 0 {
        map_user(user)?;
    }
    leave(flags)?;
    Ok(IdCount::One)
}

/// The kernel limits the processes of each user alone, and those of a user namespace by the user who
/// made it: so the sandbox is one more of these, with the same ids, in which all have one limit.
fn be_counted_together(ranges: &IdRanges, pids: u32, flags: UnshareFlags) -> io::Result<()> {
    rustix::thread::set_thread_groups(&[])?;
    // A line may not span two of the namespace above (user_namespaces(7)).
    let same = |range: &IdRange| format!("0 0 1\n1 1 {}\n", range.count);
    let (users, groups) = (same(&ranges.users), same(&ranges.groups));
    let helper = Helper::ready(|us| {
        let write = |file: &str, text: &str| {
            let path = Path::new("/proc").join(us.to_string()).join(file);
            files::write_in_place(&path, text.as_bytes()).is_ok()
        };
        u8::from(!(write("gid_map", &groups) && write("uid_map", &users)))
    })?;
    limit(Resource::Nproc, pids.into())?;
    leave(flags | UnshareFlags::NEWUSER)?;
    match helper.done()? {
        0 => Ok(()),
        _ => Err(io::Error::other("its ids cannot be mapped once more")),
    }
}

fn map_user(user: u32) -> io::Result<()> {
    write_own("uid_map", &format!("0 {user} 1"))
}

fn map_group(group: u32) -> io::Result<()> {
    // A group map may be written only after `setgroups` is given up (user_namespaces(7)).
    write_own("setgroups", "deny")?;
    write_own("gid_map", &format!("0 {group} 1"))
}

fn write_own(file: &str, text: &str) -> io::Result<()> {
    files::write_in_place(&Path::new("/proc/self").join(file), text.as_bytes())
        .map_err(io::Error::other)
}

/// What could not be mapped.
const NO_USERS: u8 = 1;
const NO_GROUPS: u8 = 2;

/// Maps both by the programs that may, at once.
fn map_ranges(process: u32, ranges: &IdRanges, user: u32, group: u32) -> u8 {
    let start = |range: &IdRange, own: u32| {
        let numbers = [process, 0, own, 1, 1, range.first, range.count];
        Command::new(&range.program)
            .args(numbers.map(|number| number.to_string()))
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
    };
    let started = [
        (start(&ranges.users, user), NO_USERS),
        (start(&ranges.groups, group), NO_GROUPS),
    ];
    let failed = started.map(|(started, bit)| {
        let ended = started.and_then(|mut child| child.wait());
        let worked = ended.is_ok_and(|status| status.success());
        if worked { 0 } else { bit }
    });
    failed.iter().sum()
}

/// A child that waits until we are somewhere else, and then does something to us from where we were.
struct Helper {
    child: Pid,
    go: OwnedFd,
}

impl Helper {
    /// One that does this to the process with our number, and ends with what comes of it.
    fn ready(work: impl FnOnce(u32) -> u8) -> io::Result<Self> {
        let us = std::process::id();
        let (told, go) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        let Some(child) = fork()? else {
            drop(go);
            // Without a byte, who would be helped is gone.
            let read = rustix::io::read(&told, &mut [0][..]);
            let code = if read == Ok(1) { work(us) } else { 255 };
            std::process::exit(code.into());
        };
        Ok(Self { child, go })
    }

    /// Lets it work; what came of it.
    fn done(self) -> io::Result<u8> {
        rustix::io::write(&self.go, b".")?;
        loop {
            match waitpid(Some(self.child), WaitOptions::empty()) {
                Err(rustix::io::Errno::INTR) => {}
                Ok(Some((_, status))) => {
                    let code = status.exit_status();
                    return Ok(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(255));
                }
                Ok(None) => return Err(io::Error::other("its helper has no end")),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_range_of_a_user_is_found() {
        let names = ["ada".to_owned(), "1000".to_owned()];
        let of = |text: &str| range_in(text, &names);
        assert_eq!(
            of("bob:1:65536\nada:100000:65536\n"),
            Some((100_000, 65535))
        );
        assert_eq!(of("1000:7:65534"), Some((7, 65534)));
        assert_eq!(of("ada:5:10\nada:200000:70000"), Some((200_000, 65535)));
        for none in [
            "",
            "ada",
            "ada:x:65536",
            "ada:1:1000",
            "adam:1:65536",
            "ada:1:-1",
            ":::",
        ] {
            assert_eq!(of(none), None, "{none}");
        }
    }
}
