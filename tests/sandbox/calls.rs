//! `send_message` out of a sandbox, in every form that a shell has.

use std::future::Future;
use std::pin::Pin;
use std::sync::Mutex;
use std::time::Duration;

use regatta::sandbox::{Call, CallAnswer, Callee, Command, CommandEnd, Output};

use crate::place::{Box_, Kind, text};

#[derive(Default)]
struct Recorder(Mutex<Vec<Call>>);

impl Callee for Recorder {
    fn call(&self, call: Call) -> Pin<Box<dyn Future<Output = CallAnswer> + Send + '_>> {
        Box::pin(async move {
            let code = u8::from(call.args.iter().any(|arg| arg == "nobody"));
            self.0.lock().unwrap().push(call);
            CallAnswer::text(code, "answered\n")
        })
    }
}

impl Recorder {
    /// Runs a script and answers its calls; what it printed, and the calls.
    fn run(&self, sandbox: &mut Box_, script: &str) -> (Output, Vec<Call>) {
        let timeout = Duration::from_mins(1);
        let Box_ {
            runtime, sandbox, ..
        } = sandbox;
        let ran = sandbox.run(Command { script, timeout }, Some(self));
        let output = runtime.block_on(ran).unwrap();
        (output, std::mem::take(&mut *self.0.lock().unwrap()))
    }
}

fn calls(kind: Kind) {
    let mut sandbox = Box_::with(kind, |spec| spec.messaging = true).unwrap();
    let recorder = Recorder::default();
    let mut run = |script: &str| {
        let (output, calls) = recorder.run(&mut sandbox, script);
        let calls: Vec<_> = calls
            .into_iter()
            .map(|call| (call.args.join(" "), String::from_utf8(call.body).unwrap()))
            .collect();
        (output.end, text(&output), calls)
    };
    let call = |args: &str, body: &str| vec![(args.to_owned(), body.to_owned())];
    let answered = || "answered\n".to_owned();
    let fine = CommandEnd::Exited(0);

    let heredoc = "send_message --wait agent2 <<'MSG'\n$HOME `x` \"y\" don't\nMSG\n";
    let body = "$HOME `x` \"y\" don't\n";
    assert_eq!(
        run(heredoc),
        (fine, answered(), call("--wait agent2", body))
    );
    let quoted = "send_message agent2 \"it's done\"";
    assert_eq!(
        run(quoted),
        (fine, answered(), call("agent2 it's done", ""))
    );
    assert_eq!(
        run("echo a && send_message agent2 'b' && echo c"),
        (fine, "a\nanswered\nc\n".to_owned(), call("agent2 b", ""))
    );
    assert_eq!(
        run("send_message nobody 'b' || echo failed").1,
        "answered\nfailed\n"
    );
    let (_, _, through_a_pipe) = run("echo from a pipe | timeout 20 send_message agent2");
    assert_eq!(through_a_pipe, call("agent2", "from a pipe\n"));
    let (_, _, in_a_loop) = run("for i in 1 2; do send_message agent2 \"$i\"; done");
    assert_eq!(in_a_loop.len(), 2);
    sandbox.close();
}

#[test]
fn namespace_calls() {
    calls(Kind::Namespace);
}

#[test]
fn oci_calls() {
    calls(Kind::Oci);
}

#[test]
fn process_calls() {
    calls(Kind::Process);
}

#[test]
#[ignore = "needs Docker: just e2e"]
fn docker_calls() {
    calls(Kind::Docker);
}

#[test]
fn without_messaging_there_is_no_such_command() {
    for kind in [Kind::Namespace, Kind::Oci] {
        let mut sandbox = Box_::start(kind);
        let output = sandbox.try_run("send_message agent2 hello").unwrap();
        assert_eq!(output.end, CommandEnd::Exited(127));
        sandbox.close();
    }
}

/// Callers who never hang up take neither the mail nor the processor from the others for good.
#[test]
fn callers_that_wait_for_ever_are_not_the_end_of_messages() {
    for kind in [Kind::Namespace, Kind::Oci] {
        struct Never;
        impl Callee for Never {
            fn call(&self, call: Call) -> Pin<Box<dyn Future<Output = CallAnswer> + Send + '_>> {
                Box::pin(async move {
                    if call.args.iter().any(|arg| arg == "--wait") {
                        std::future::pending::<()>().await;
                    }
                    CallAnswer::text(0, "answered\n")
                })
            }
        }
        let mut sandbox = Box_::with(kind, |spec| spec.messaging = true).unwrap();
        let script = "for i in $(seq 40); do send_message --wait agent2 \"$i\" & done; sleep 1; kill $(jobs -p); wait; send_message agent2 last";
        let Box_ {
            runtime,
            sandbox: inner,
            ..
        } = &mut sandbox;
        let timeout = Duration::from_mins(1);
        let command = Command { script, timeout };
        let output = runtime.block_on(inner.run(command, Some(&Never))).unwrap();
        assert!(text(&output).contains("answered"), "{}", text(&output));
        sandbox.close();
    }
}

/// Where two sandboxes share a network, neither may speak as the other.
fn only_who_is_in_the_sandbox_may_call(kind: Kind) {
    let mut sandbox = Box_::with(kind, |spec| {
        spec.messaging = true;
        let mut limits = crate::place::limits();
        limits.network = true;
        spec.limits = std::sync::Arc::new(limits);
    })
    .unwrap();
    let recorder = Recorder::default();
    let mut run = |script: &str| {
        let (output, calls) = recorder.run(&mut sandbox, script);
        (output.end, text(&output), calls.len())
    };
    for secret in ["", "0", "00000000000000000000000000000000"] {
        let forged =
            format!("REGATTA_HARNESS={secret}@${{REGATTA_HARNESS#*@}} send_message agent2 x");
        let (end, said, calls) = run(&forged);
        assert_eq!((end, calls), (CommandEnd::Exited(1), 0), "{secret}: {said}");
    }
    assert_eq!(run("send_message agent2 x").2, 1);
    if matches!(kind, Kind::Namespace | Kind::Oci) {
        // Its socket is in its own file system: another sandbox, or the host, has no name for it.
        let (_, path, _) = run("echo ${REGATTA_HARNESS#*@}");
        assert!(path.starts_with("/run/"), "{path}");
        assert!(!std::path::Path::new(path.trim()).exists());
    }
    sandbox.close();
}

#[test]
fn in_a_namespace_only_who_is_in_the_sandbox_may_call() {
    only_who_is_in_the_sandbox_may_call(Kind::Namespace);
}

#[test]
fn in_an_image_only_who_is_in_the_sandbox_may_call() {
    only_who_is_in_the_sandbox_may_call(Kind::Oci);
}

#[test]
fn in_a_process_only_who_knows_the_secret_may_call() {
    only_who_is_in_the_sandbox_may_call(Kind::Process);
}

#[test]
#[ignore = "needs Docker: just e2e"]
fn in_docker_only_who_knows_the_secret_may_call() {
    only_who_is_in_the_sandbox_may_call(Kind::Docker);
}
