use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::header::HOST;
use hyper::{Request, Response, StatusCode};
use serde_json::{Value, json};
use tokio::net::UnixStream;

use super::*;
use crate::store::Event;

/// A daemon that makes whatever it is asked for, and says how long the request was.
fn daemon(socket: &Path) {
    let listener = UnixListener::bind(socket).unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = hyper::service::service_fn(|request: Request<_>| async {
                let path = request.uri().path().to_owned();
                let bytes = hyper::body::Incoming::collect(request.into_body()).await?;
                let length = bytes.to_bytes().len();
                let answer = json!({"Id": path.replace('/', ""), "Length": length}).to_string();
                let mut response = Response::new(Full::new(Bytes::from(answer)));
                *response.status_mut() = StatusCode::CREATED;
                Ok::<_, hyper::Error>(response)
            });
            tokio::spawn(async move {
                let _ = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    });
}

/// What the relay answers to a request.
async fn ask(socket: &Path, path: &str, body: String) -> Value {
    let stream = UnixStream::connect(socket).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let request = Request::post(path).header(HOST, "docker");
    let request = request.body(Full::new(Bytes::from(body))).unwrap();
    let response = sender.send_request(request).await.unwrap();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    serde_json::from_slice(&bytes).unwrap()
}

#[tokio::test]
async fn commands_are_told_of_and_passed_on_whole_until_the_engine_ends_the_container() {
    let dir = tempfile::tempdir().unwrap();
    let (behind, before) = (dir.path().join("daemon"), dir.path().join("relay"));
    daemon(&behind);
    let told: Arc<Mutex<Vec<Event>>> = Arc::default();
    let to = Arc::clone(&told);
    let endpoint = DockerEndpoint::Unix(behind);
    let key = ("OWL_API_KEY".to_owned(), "sk-owl-012345".to_owned());
    let relay = Relay::start(
        &before,
        Docker::at(endpoint.clone()).unwrap(),
        endpoint,
        Vec::new(),
        Arc::new(move |event| to.lock().unwrap().push(event)),
        PageMask::of([key]),
    )
    .unwrap();
    let made = ask(
        &before,
        "/containers/create?name=mini",
        json!({"Image": "i"}).to_string(),
    );
    let container = made.await["Id"].as_str().unwrap().to_owned();
    relay.tell_commands();
    let exec = format!("/containers/{container}/exec");
    let short = json!({"Cmd": ["bash", "-lc", "echo sk-owl-012345"]}).to_string();
    let long = json!({"Cmd": ["bash", "-lc", "x".repeat(2_000_000)]}).to_string();
    for body in [&short, &long, &"no JSON".to_owned(), &short] {
        let answer = ask(&before, &exec, body.clone()).await;
        assert_eq!(answer["Length"], body.len());
    }
    relay.tell_commands();
    // Others' containers are not told of.
    ask(&before, "/containers/other/exec", short.clone()).await;
    relay.tell_commands();
    for _ in 0..2 {
        ask(
            &before,
            &format!("/containers/{container}/stop"),
            String::new(),
        )
        .await;
    }
    relay.tell_commands();
    let image = "i".to_owned();
    let name = Some("mini".to_owned());
    let expected = [
        Event::ContainerCreated {
            container: container.clone(),
            image,
            name,
        },
        Event::CommandsSeen {
            container: container.clone(),
            commands: 4,
            last: Some("echo ****".to_owned()),
        },
        Event::ContainerEnded {
            container,
            commands: 4,
        },
    ];
    assert_eq!(*told.lock().unwrap(), expected);
}
