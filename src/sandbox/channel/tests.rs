use tokio::io::{DuplexStream, duplex};

use super::*;

/// The other end of a channel: what a guest would read and write.
struct Guest {
    from: DuplexStream,
    to: DuplexStream,
    buffer: Vec<u8>,
}

/// A channel with its other end.
fn channel() -> (Channel, Guest) {
    let (from, to_harness) = duplex(1 << 16);
    let (from_harness, to) = duplex(1 << 16);
    let guest = Guest {
        from: from_harness,
        to: to_harness,
        buffer: Vec::new(),
    };
    (Channel::over_pipes(from, to), guest)
}

impl Guest {
    async fn asked(&mut self) -> (Request, Vec<u8>) {
        loop {
            if let Some(frame) = frame::take(&mut self.buffer).unwrap() {
                return frame;
            }
            assert_ne!(self.from.read_buf(&mut self.buffer).await.unwrap(), 0);
        }
    }

    async fn says(&mut self, reply: &GuestReply, payload: &[u8]) {
        let frame = frame::encode(reply, payload);
        self.to.write_all(&frame).await.unwrap();
    }

    /// Says that request 1 ended, with output of which so much is its beginning.
    async fn ends(&mut self, id: u64, output: &[u8], head: usize) {
        let end = CommandEnd::Exited(3);
        let ended = GuestReply::Ended {
            id,
            end,
            head,
            elided: 7,
        };
        self.says(&ended, output).await;
    }
}

const ORDER: GuestOrder<'static> = GuestOrder {
    script: "make",
    cwd: "/workspace/repo",
    login: true,
    deadline: Duration::from_secs(9),
    limit: 100,
};

/// Answers with what it was called with.
struct Echo;

impl Callee for Echo {
    fn call(&self, call: Call) -> Pin<Box<dyn Future<Output = CallAnswer> + Send + '_>> {
        let body = String::from_utf8(call.body).unwrap();
        let words = call.args.join(" ");
        let text = format!("{}({words})<{body}", call.program);
        Box::pin(async move { CallAnswer::text(4, text) })
    }
}

#[tokio::test]
async fn the_first_word_says_that_the_guest_is_there_and_its_path() {
    let (mut channel, mut guest) = channel();
    let path = "/opt/bin:/bin".to_owned();
    guest.says(&GuestReply::Ready { path }, b"").await;
    channel.ready(PATIENCE).await.unwrap();
    assert_eq!(channel.image_path, "/opt/bin:/bin");
}

#[tokio::test]
async fn another_first_word_is_noise_and_none_is_silence() {
    let (mut one, mut guest) = channel();
    guest.says(&GuestReply::Done { id: 1 }, b"").await;
    let broken = one.ready(PATIENCE).await.unwrap_err();
    assert!(matches!(broken, BrokenChannel::Garbled(_)), "{broken:?}");

    let (mut one, _guest) = channel();
    let broken = one.ready(Duration::ZERO).await.unwrap_err();
    assert!(matches!(broken, BrokenChannel::Silent), "{broken:?}");
}

#[tokio::test]
async fn a_commands_output_comes_in_its_two_parts() {
    let (mut channel, mut guest) = channel();
    let (ran, ()) = tokio::join!(channel.run(&ORDER, None), async {
        let (asked, script) = guest.asked().await;
        let wanted = Request::Run {
            id: 1,
            cwd: "/workspace/repo".to_owned(),
            login: true,
            deadline_ms: 9000,
            limit: 100,
        };
        assert_eq!((asked, script.as_slice()), (wanted, &b"make"[..]));
        guest.ends(1, b"beginend", 5).await;
    });
    let output = Output {
        end: CommandEnd::Exited(3),
        head: b"begin".to_vec(),
        tail: b"end".to_vec(),
        elided: 7,
    };
    assert_eq!(ran.unwrap(), output);
}

#[tokio::test]
async fn a_beginning_that_is_longer_than_the_output_is_noise() {
    let (mut channel, mut guest) = channel();
    guest.ends(1, b"four", 5).await;
    let broken = channel.run(&ORDER, None).await.unwrap_err();
    assert!(matches!(broken, BrokenChannel::Garbled(_)), "{broken:?}");
}

#[tokio::test]
async fn programs_are_answered_while_their_command_runs() {
    let (mut channel, mut guest) = channel();
    let (ran, ()) = tokio::join!(channel.run(&ORDER, Some(&Echo)), async {
        guest.asked().await;
        for call in [8, 9] {
            let words = ["tell", "one", "two"].map(str::to_owned).to_vec();
            guest.says(&GuestReply::Call { call, words }, b"body").await;
            let (answer, said) = guest.asked().await;
            assert_eq!(answer, Request::Answer { call, code: 4 });
            assert_eq!(said, b"tell(one two)<body");
        }
        guest.ends(1, b"", 0).await;
    });
    assert_eq!(ran.unwrap().end, CommandEnd::Exited(3));
}

#[tokio::test]
async fn where_nobody_answers_a_program_is_told_so() {
    let (mut channel, mut guest) = channel();
    let (ran, ()) = tokio::join!(channel.run(&ORDER, None), async {
        guest.asked().await;
        let words = vec!["tell".to_owned()];
        guest.says(&GuestReply::Call { call: 1, words }, b"").await;
        let (answer, said) = guest.asked().await;
        assert_eq!(answer, Request::Answer { call: 1, code: 127 });
        assert_eq!(said, b"tell: nobody answers\n");
        guest.ends(1, b"", 0).await;
    });
    ran.unwrap();
}

#[tokio::test]
async fn the_late_answer_to_what_was_given_up_on_is_passed_over() {
    let (mut channel, mut guest) = channel();
    // Its asker is gone before it is answered.
    tokio::select! {
        biased;
        ran = channel.run(&ORDER, None) => panic!("{ran:?}"),
        _ = guest.asked() => {}
    }
    guest.ends(1, b"late", 4).await;
    let (ran, ()) = tokio::join!(channel.run(&ORDER, None), async {
        let (asked, _) = guest.asked().await;
        assert!(matches!(asked, Request::Run { id: 2, .. }), "{asked:?}");
        guest.ends(2, b"now", 3).await;
    });
    assert_eq!(ran.unwrap().head, b"now");
}

#[tokio::test]
async fn files_are_read_and_written_and_refused_with_the_guests_words() {
    let (mut channel, mut guest) = channel();
    guest.says(&GuestReply::File { id: 1 }, b"text").await;
    guest.says(&GuestReply::Done { id: 2 }, b"").await;
    let why = || "it is too large".to_owned();
    let failed = GuestReply::Failed { id: 3, why: why() };
    guest.says(&failed, b"").await;
    let crippled = GuestReply::Crippled { id: 4, why: why() };
    guest.says(&crippled, b"").await;
    guest.says(&GuestReply::File { id: 5 }, b"").await;
    assert_eq!(channel.read("a", 10).await.unwrap(), b"text");
    channel.write("a", b"new").await.unwrap();
    let refused = channel.read("b", 1).await.unwrap_err();
    assert!(matches!(&refused, BrokenChannel::Refused(said) if *said == why()));
    let broken = channel.run(&ORDER, None).await.unwrap_err();
    assert!(matches!(&broken, BrokenChannel::Crippled(said) if *said == why()));
    // An answer of another kind is none.
    let garbled = channel.purge().await.unwrap_err();
    assert!(matches!(garbled, BrokenChannel::Garbled(_)), "{garbled:?}");
    let (asked, _) = guest.asked().await;
    let read = Request::Read {
        id: 1,
        path: "a".to_owned(),
        limit: 10,
    };
    assert_eq!(asked, read);
    let (_, written) = guest.asked().await;
    assert_eq!(written, b"new");
}

#[tokio::test]
async fn a_guest_that_is_gone_and_noise_are_told_apart() {
    let (mut one, guest) = channel();
    drop(guest);
    let broken = one.run(&ORDER, None).await.unwrap_err();
    assert!(matches!(broken, BrokenChannel::Closed(_)), "{broken:?}");

    let (mut one, mut guest) = channel();
    guest.to.write_all(&[0xff; 8]).await.unwrap();
    let broken = one.run(&ORDER, None).await.unwrap_err();
    assert!(matches!(broken, BrokenChannel::Garbled(_)), "{broken:?}");
}

#[tokio::test]
async fn a_frame_in_pieces_is_read_whole() {
    let ready = GuestReply::Ready {
        path: "/bin".to_owned(),
    };
    let pieces = frame::encode(&ready, b"").into_iter();
    // An empty piece is no end.
    let pieces = pieces.flat_map(|byte| [Ok(vec![byte]), Ok(Vec::new())]);
    let pieces: Vec<io::Result<Vec<u8>>> = pieces.collect();
    let stream = Box::pin(futures_util::stream::iter(pieces));
    let mut channel = Channel::over_stream(stream, Box::pin(tokio::io::sink()));
    channel.ready(PATIENCE).await.unwrap();
    let broken = channel.purge().await.unwrap_err();
    assert!(matches!(broken, BrokenChannel::Closed(_)), "{broken:?}");
}
