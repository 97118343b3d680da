//! A network namespace's own loopback, which a container has.

use std::io;

use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, sendto, socket_with,
};

/// Brings up the loopback of a new network namespace, whose first and only interface it is: without
/// it, no program there reaches another (rtnetlink(7)).
pub fn bring_up_loopback() -> io::Result<()> {
    const LOOPBACK: i32 = 1;
    const ERROR: u16 = 2;
    let up = libc::IFF_UP.cast_unsigned();
    let mut request = Vec::with_capacity(32);
    // A header: length, kind, flags, number, sender.
    request.extend(32_u32.to_ne_bytes());
    request.extend(libc::RTM_NEWLINK.to_ne_bytes());
    let flags = (libc::NLM_F_REQUEST | libc::NLM_F_ACK).to_ne_bytes();
    request.extend(&flags[..2]);
    if cfg!(target_endian = "big") {
        request.truncate(6);
        request.extend(&flags[2..]);
    }
    request.extend(1_u32.to_ne_bytes());
    request.extend(0_u32.to_ne_bytes());
    // An interface: family and padding, kind, number, flags, which of them change.
    request.extend([0; 4]);
    request.extend(LOOPBACK.to_ne_bytes());
    request.extend(up.to_ne_bytes());
    request.extend(up.to_ne_bytes());
    let socket = socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        None,
    )?;
    let kernel = SocketAddrNetlink::new(0, 0);
    sendto(&socket, &request, SendFlags::empty(), &kernel)?;
    let mut answer = [0; 256];
    let (_, count) = recv(&socket, &mut answer[..], RecvFlags::empty())?;
    let error = match answer.get(..count) {
        Some([_, _, _, _, one, two, rest @ ..]) if u16::from_ne_bytes([*one, *two]) == ERROR => {
            rest.get(10..14).and_then(|code| code.try_into().ok())
        }
        _ => None,
    };
    match error.map(i32::from_ne_bytes) {
        Some(0) => Ok(()),
        Some(code) => Err(io::Error::from_raw_os_error(-code)),
        None => Err(io::Error::other("the kernel gave no answer")),
    }
}
