//! What the kernel is told of a link's socket.

use std::io;
use std::time::Duration;

use rustix::net::sockopt;
use tokio::net::TcpStream;

/// How long a host may be silent before its connection breaks: data that nobody confirms, and the
/// kernel's own questions while there is none.
pub(super) const SILENCE: Duration = Duration::from_mins(1);

/// When the kernel asks whether the other host is there, and how often then.
pub(super) const ASKS_AFTER: Duration = Duration::from_secs(20);
pub(super) const ASKS_EVERY: Duration = Duration::from_secs(10);

/// Messages leave at once, and a host that vanished is noticed in a minute.
pub(super) fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, ASKS_AFTER)?;
    sockopt::set_tcp_keepintvl(stream, ASKS_EVERY)?;
    // `TCP_USER_TIMEOUT` decides when it is over, also instead of a count of questions.
    sockopt::set_tcp_user_timeout(
        stream,
        u32::try_from(SILENCE.as_millis()).unwrap_or(u32::MAX),
    )?;
    Ok(())
}
