//! A program in a pseudo-terminal, and what its screen shows.

use std::io::{Read as _, Write as _};
use std::num::NonZero;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use rustix::process::{Pid, Signal, kill_process};

use super::{Place, wait_until};

/// The screen of a terminal without a size has one cell.
fn cells(count: u16) -> NonZero<u16> {
    NonZero::new(count).unwrap_or(NonZero::<u16>::MIN)
}

/// A program that runs in a terminal of its own.
pub struct Terminal {
    child: Child,
    parser: Arc<Mutex<vt100::Parser>>,
    written: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
    tty: PathBuf,
    /// Where the program's process number stands.
    pid: PathBuf,
}

/// A program that still runs, perhaps paused for ever, ends with its terminal.
impl Drop for Terminal {
    fn drop(&mut self) {
        let pid = std::fs::read_to_string(&self.pid).ok();
        let pid = pid.and_then(|pid| pid.trim().parse().ok());
        // Until it is waited for, its number is nobody else's.
        if let (Ok(None), Some(pid)) = (self.child.try_wait(), pid.and_then(Pid::from_raw)) {
            let _ = kill_process(pid, Signal::KILL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Terminal {
    /// Starts a command in a terminal of so many columns and rows.
    pub fn start(place: &Place, command: &Command, columns: u16, rows: u16) -> Self {
        let tty = place.join(&format!("tty-{columns}-{rows}"));
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        let words = words.map(|word| word.to_str().unwrap());
        let line = shlex::try_join(words).unwrap();
        let pid = place.join(&format!("pid-{columns}-{rows}"));
        let own = shlex::try_quote(pid.to_str().unwrap())
            .unwrap()
            .into_owned();
        let name = shlex::try_quote(tty.to_str().unwrap())
            .unwrap()
            .into_owned();
        let mut script = Command::new("script");
        script.args([
            "-qefc",
            &format!("echo $$ > {own}; stty cols {columns} rows {rows}; tty > {name}.new; mv {name}.new {name}; exec {line}"),
            "/dev/null",
        ]);
        script.env("TERM", "xterm-256color").env_remove("NO_COLOR");
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => script.env(name, value),
                None => script.env_remove(name),
            };
        }
        let mut child = script
            .current_dir(command.get_current_dir().unwrap())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let parser = vt100::Parser::new(cells(rows), cells(columns), 10_000);
        let parser = Arc::new(Mutex::new(parser));
        let written = Arc::new(Mutex::new(Vec::new()));
        let mut output = child.stdout.take().unwrap();
        let (screen, kept) = (Arc::clone(&parser), Arc::clone(&written));
        let reader = std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = output.read(&mut bytes) {
                screen.lock().unwrap().process(&bytes[..count]);
                kept.lock().unwrap().extend_from_slice(&bytes[..count]);
            }
        });
        Self {
            child,
            parser,
            written,
            reader: Some(reader),
            tty,
            pid,
        }
    }

    /// What the screen shows, without blanks at the end of lines and of the screen.
    pub fn screen(&self) -> String {
        let parser = self.parser.lock().unwrap();
        let text = parser.screen().contents();
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        lines.join("\n").trim_end().to_owned()
    }

    /// Whether what is shown is the main screen, with its cursor.
    pub fn is_given_back(&self) -> bool {
        let parser = self.parser.lock().unwrap();
        !parser.screen().alternate_screen() && !parser.screen().hide_cursor()
    }

    /// Waits until the screen is as it should be, and gives it.
    #[track_caller]
    pub fn wait_for(&self, what: &str, is_so: impl Fn(&str) -> bool) -> String {
        let mut screen = String::new();
        wait_until(what, || {
            screen = self.screen();
            is_so(&screen)
        });
        screen
    }

    /// Gives the terminal another size.
    pub fn resize(&self, columns: u16, rows: u16) {
        let tty = std::fs::read_to_string(&self.tty).unwrap();
        self.parser
            .lock()
            .unwrap()
            .screen_mut()
            .set_size(cells(rows), cells(columns));
        let words = [
            "-F",
            tty.trim(),
            "cols",
            &columns.to_string(),
            "rows",
            &rows.to_string(),
        ];
        assert!(Command::new("stty").args(words).status().unwrap().success());
    }

    /// Types something.
    pub fn press(&mut self, keys: &str) {
        let stdin = self.child.stdin.as_mut().unwrap();
        stdin.write_all(keys.as_bytes()).unwrap();
        stdin.flush().unwrap();
    }

    /// Waits until the program has ended; gives its exit code, the screen, and all that was written.
    pub fn end(mut self) -> (Option<i32>, String, String) {
        let code = self.child.wait().unwrap().code();
        self.reader.take().unwrap().join().unwrap();
        let parser = self.parser.lock().unwrap();
        let screen = parser.screen().contents();
        let written = self.written.lock().unwrap();
        (code, screen, String::from_utf8_lossy(&written).into_owned())
    }
}
