use std::sync::Mutex;
use std::time::Duration;

use serde_json::json;

use super::super::documents::architecture;
use super::super::news::PullNews;
use super::super::scripted::{RegistryRequest, Said, Scripted};
use super::RegistryOptions;
use super::carried::{CarriedImage, have, have_after, options, with_login};
use crate::images::Digest;

async fn refused(
    script: impl Fn(&RegistryRequest, usize) -> Said + Send + Sync + 'static,
) -> (String, usize) {
    let server = Scripted::serve(script);
    let error = have(&format!("{}/a/b:c", server.at), &options()).await;
    let error = error.err().expect("an error").to_string();
    (error.replace(&server.at, "HOST"), server.asked().len())
}

#[tokio::test]
async fn an_image_of_an_index_comes_with_its_layers() {
    let made = CarriedImage::new();
    let index = json!({"manifests": [
        {"digest": Digest::of(b"x").as_str(), "platform": {"os": "linux", "architecture": "mips"}},
        {"digest": Digest::of(&made.manifest).as_str(),
            "platform": {"os": "linux", "architecture": architecture()}}]});
    let (index, there) = (index.to_string(), made.clone());
    let server = Scripted::serve(move |asked, _| match asked.path.as_str() {
        "/v2/a/b/manifests/c" => Said::new(200, index.clone()),
        _ => there.says(asked),
    });
    let had = have(&format!("{}/a/b:c", server.at), &options())
        .await
        .unwrap();
    assert_eq!(had.image.manifest, Some(Digest::of(&made.manifest)));
    assert_eq!(had.image.config_digest, Digest::of(&made.config));
    assert_eq!(had.image.config.env, ["A=b"]);
    assert_eq!(had.image.layers[0].diff_id, Digest::of(b"plain"));
    assert_eq!(had.bytes, made.layer);
}

#[tokio::test]
async fn a_mirror_is_asked_in_the_registrys_place() {
    let made = CarriedImage::new();
    let server = Scripted::serve(move |asked, _| made.says(asked));
    let url = format!("http://{}/hub", server.at);
    let options = RegistryOptions {
        mirrors: [("docker.io".to_owned(), url)].into(),
        ..options()
    };
    have("alpine", &options).await.unwrap();
    let first = &server.asked()[0].path;
    assert_eq!(first, "/v2/hub/library/alpine/manifests/latest");
}

/// A registry that lets in who has the token of the moment; each is good for so many requests.
fn with_tokens(made: CarriedImage, good_for: usize) -> Scripted {
    let state = Mutex::new((0, 0));
    Scripted::serve(move |asked, _| {
        let mut state = state.lock().unwrap();
        if asked.path.starts_with("/token?") || asked.path == "/token" {
            *state = (state.0 + 1, 0);
            return Said::new(200, json!({"token": format!("t{}", state.0)}).to_string());
        }
        let is_let_in = asked.authorization == Some(format!("Bearer t{}", state.0));
        state.1 += 1;
        if is_let_in && state.1 <= good_for {
            return made.says(asked);
        }
        let challenge = format!(
            r#"Bearer realm="http://{}/token",service="s",scope="x:y""#,
            asked.host
        );
        Said::new(401, "").with("WWW-Authenticate", challenge)
    })
}

#[tokio::test]
async fn a_token_that_ends_in_the_middle_of_a_pull_is_followed_by_another() {
    let made = CarriedImage::new();
    let server = with_tokens(made.clone(), 1);
    let had = have(&format!("{}/a/b:c", server.at), &options())
        .await
        .unwrap();
    assert_eq!(had.bytes, made.layer);
    let asked = server.asked();
    let tokens = asked.iter().filter(|it| it.path.starts_with("/token"));
    let tokens: Vec<_> = tokens.collect();
    assert_eq!(tokens.len(), 3);
    assert_eq!(tokens[0].path, "/token?service=s&scope=x%3Ay");
    assert_eq!(tokens[0].authorization, None);
}

#[tokio::test]
async fn a_token_is_had_with_the_password_or_the_token_of_dockers_configuration() {
    let made = CarriedImage::new();
    let server = with_tokens(made.clone(), 9);
    let name = format!("{}/a/b:c", server.at);
    // `ada:hush`
    let login = json!({"auths": {&server.at: {"auth": "YWRhOmh1c2g="}}}).to_string();
    let (_dir, options) = with_login(&login);
    have(&name, &options).await.unwrap();
    let token = json!({"auths": {&server.at: {"identitytoken": "id/1"}}}).to_string();
    let (_other, options) = with_login(&token);
    have(&name, &options).await.unwrap();
    let asked = server.asked();
    let tokens = asked.iter().filter(|it| it.path.starts_with("/token"));
    let tokens: Vec<_> = tokens.collect();
    assert_eq!(
        tokens[0].authorization.as_deref(),
        Some("Basic YWRhOmh1c2g=")
    );
    assert!(
        tokens[1].body.contains("refresh_token=id%2F1"),
        "{tokens:?}"
    );
    assert_eq!(tokens[1].authorization, None);
}

#[tokio::test]
async fn a_password_is_sent_where_one_is_asked_for_and_an_error_does_not_show_it() {
    let made = CarriedImage::new();
    let server = Scripted::serve(move |asked, _| match asked.authorization.as_deref() {
        Some("Basic YWRhOmh1c2g=") => made.says(asked),
        _ => Said::new(401, "").with("WWW-Authenticate", "Basic realm=\"x\""),
    });
    let name = format!("{}/a/b:c", server.at);
    let login = json!({"auths": {&server.at: {"auth": "YWRhOmh1c2g="}}}).to_string();
    let (_dir, options) = with_login(&login);
    have(&name, &options).await.unwrap();
    // The first request goes without: not every registry asks for one.
    assert_eq!(server.asked()[0].authorization, None);
    let wrong = login.replace("YWRhOmh1c2g=", "YWRhOnNlc2FtZQ==");
    let (_dir, options) = with_login(&wrong);
    let error = have(&name, &options).await.err().unwrap();
    let text = format!("{error} {error:?}");
    assert!(text.contains("does not give"), "{text}");
    assert!(text.contains("ada"), "{text}");
    assert!(!text.contains("sesame"), "{text}");
}

#[tokio::test]
async fn a_blob_is_followed_to_another_server_without_the_pass() {
    let made = CarriedImage::new();
    let there = made.clone();
    let other = Scripted::serve(move |asked, _| there.says(asked));
    let at = other.at.clone();
    let password = Some("Basic YWRhOmh1c2g=");
    let server = Scripted::serve(move |asked, _| {
        if asked.authorization.as_deref() != password {
            Said::new(401, "").with("WWW-Authenticate", "Basic realm=\"x\"")
        } else if asked.path.contains("/blobs/") {
            let to = format!("http://{at}{}", asked.path);
            Said::new(307, "").with("Location", to)
        } else {
            made.says(asked)
        }
    });
    let login = json!({"auths": {&server.at: {"auth": "YWRhOmh1c2g="}}}).to_string();
    let (_dir, options) = with_login(&login);
    have(&format!("{}/a/b:c", server.at), &options)
        .await
        .unwrap();
    let asked = other.asked();
    assert_eq!(asked.len(), 2);
    assert!(asked.iter().all(|it| it.authorization.is_none()));
}

#[tokio::test]
async fn a_layer_that_is_cut_is_gone_on_with() {
    let made = CarriedImage::new();
    let there = made.clone();
    let server = Scripted::serve(move |asked, _| {
        let said = there.says(asked);
        if said.body.len() > 1000 && asked.path.contains("/blobs/") {
            return said.cut_after(1000);
        }
        said
    });
    let name = format!("{}/a/b:c", server.at);
    let had = have(&name, &options()).await.unwrap();
    assert_eq!(had.bytes, made.layer);
    let asked = server.asked();
    let ranges: Vec<_> = asked.iter().filter_map(|it| it.range.as_deref()).collect();
    assert_eq!(ranges, ["bytes=1000-", "bytes=2000-"]);
    let retries = had
        .news
        .iter()
        .filter(|it| matches!(it, PullNews::Retry { .. }));
    assert_eq!(retries.count(), 2);
    // A later process does so too.
    let had = have_after(&name, &options(), &made.layer[..2500])
        .await
        .unwrap();
    assert_eq!(had.bytes, made.layer);
    assert_eq!(
        server.asked().last().unwrap().range.as_deref(),
        Some("bytes=2500-")
    );
}

#[tokio::test]
async fn where_ranges_are_unknown_a_layer_begins_again() {
    let made = CarriedImage::new();
    for status in [200, 416, 206] {
        let there = made.clone();
        let server = Scripted::serve(move |asked, _| match (&asked.range, status) {
            (None, _) => there.says(asked),
            (Some(_), 200) => Said::new(200, there.layer.clone()),
            // A part that was not asked for.
            (Some(_), status) => Said::new(status, "xyz").with("Content-Range", "bytes 7-9/3000"),
        });
        let name = format!("{}/a/b:c", server.at);
        let had = have_after(&name, &options(), &made.layer[..100])
            .await
            .unwrap();
        assert_eq!(had.bytes, made.layer, "{status}");
        assert!(had.news.contains(&PullNews::Lost(100)), "{status}");
    }
}

#[tokio::test]
async fn what_registries_refuse_is_told_with_their_words() {
    let said = |code: &str, message: &str| {
        json!({"errors": [{"code": code, "message": message}]}).to_string()
    };
    for (status, body, expected, asked) in [
        (
            401,
            said("UNAUTHORIZED", "authentication required"),
            "HOST does not give HOST/a/b:c to whom it does not know: unauthorized: authentication required",
            1,
        ),
        (
            403,
            said("DENIED", "no"),
            "HOST does not give HOST/a/b:c to whom it does not know: denied: no",
            1,
        ),
        (
            404,
            said("MANIFEST_UNKNOWN", "manifest unknown"),
            "HOST does not have HOST/a/b:c: manifest_unknown: manifest unknown",
            1,
        ),
        (
            429,
            said("TOOMANYREQUESTS", "You have reached your pull rate limit."),
            "HOST has a limit of pulls, and it is reached: toomanyrequests: You have reached your pull rate limit.",
            1,
        ),
        (
            500,
            "<html>Oops".to_owned(),
            "http://HOST/v2/a/b/manifests/c answered 500 (tried 4 times): Internal Server Error (a page of HTML)",
            4,
        ),
        (
            503,
            String::new(),
            "http://HOST/v2/a/b/manifests/c answered 503 (tried 4 times): Service Unavailable",
            4,
        ),
        (
            200,
            "<!DOCTYPE html>".to_owned(),
            "the manifest of HOST/a/b:c of HOST cannot be read: it is a page of HTML and no JSON",
            1,
        ),
        (
            200,
            "{}".to_owned(),
            "the manifest of HOST/a/b:c of HOST cannot be read: it has no `config` and no `layers`",
            1,
        ),
        (
            302,
            String::new(),
            "http://HOST/v2/a/b/manifests/c sends the request elsewhere: it does not say where",
            1,
        ),
    ] {
        let (error, times) = refused(move |_, _| Said::new(status, body.clone())).await;
        assert_eq!((error.as_str(), times), (expected, asked));
    }
}

#[tokio::test]
async fn a_limit_is_waited_for_where_it_says_how_long_and_not_for_hours() {
    let made = CarriedImage::new();
    let server = Scripted::serve(move |asked, nth| match nth {
        0 => Said::new(429, "slow down").with("Retry-After", "0.01"),
        _ => made.says(asked),
    });
    have(&format!("{}/a/b:c", server.at), &options())
        .await
        .unwrap();
    let hours = |_: &RegistryRequest, _| Said::new(429, "later").with("Retry-After", "7200");
    let (error, times) = refused(hours).await;
    let expected = "HOST has a limit of pulls, and it is reached: later (it says to wait 2h 00m)";
    assert_eq!((error.as_str(), times), (expected, 1));
}

#[tokio::test]
async fn a_limit_that_says_nothing_more_is_tried_as_often_as_trouble_of_the_registry() {
    let made = CarriedImage::new();
    let server = Scripted::serve(move |asked, nth| match nth {
        0 => Said::new(429, "slow down"),
        _ => made.says(asked),
    });
    let name = format!("{}/a/b:c", server.at);
    have(&name, &options()).await.unwrap();
    let (error, times) = refused(|_, _| Said::new(429, "")).await;
    let expected = "HOST has a limit of pulls, and it is reached: Too Many Requests";
    assert_eq!((error.as_str(), times), (expected, 4));
}

#[tokio::test]
async fn an_index_without_our_processor_names_those_that_it_has() {
    let index = json!({"manifests": [
        {"digest": Digest::of(b"x").as_str(), "platform": {"os": "linux", "architecture": "mips"}},
        {"digest": Digest::of(b"y").as_str(), "platform": {"os": "windows", "architecture": architecture()}}]});
    let (error, times) = refused(move |_, _| Said::new(200, index.to_string())).await;
    assert!(error.contains("is for another processor"), "{error}");
    assert!(error.contains("linux/mips, windows/"), "{error}");
    assert_eq!(times, 1);
}

#[tokio::test]
async fn a_token_of_another_server_is_shown_to_the_registry_alone() {
    let made = CarriedImage::new();
    let tokens = Scripted::serve(|_, _| Said::new(200, r#"{"access_token": "t"}"#));
    let blobs = {
        let made = made.clone();
        Scripted::serve(move |asked, _| made.says(asked))
    };
    let (realm, elsewhere) = (tokens.at.clone(), blobs.at.clone());
    let server = Scripted::serve(move |asked, _| {
        if asked.authorization.as_deref() != Some("Bearer t") {
            let challenge = format!(r#"Bearer realm="http://{realm}/token",service="s""#);
            Said::new(401, "").with("WWW-Authenticate", challenge)
        } else if asked.path.contains("/blobs/") {
            Said::new(307, "").with("Location", format!("http://{elsewhere}{}", asked.path))
        } else {
            made.says(asked)
        }
    });
    have(&format!("{}/a/b:c", server.at), &options())
        .await
        .unwrap();
    let asked = tokens.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].authorization, None);
    assert_eq!(
        asked[0].path,
        "/token?service=s&scope=repository%3Aa%2Fb%3Apull"
    );
    let of_blobs = blobs.asked();
    assert_eq!(of_blobs.len(), 2);
    assert!(of_blobs.iter().all(|it| it.authorization.is_none()));
}

/// What a server of tokens answers in the place of one.
#[tokio::test]
async fn a_server_of_tokens_that_gives_none_is_told_with_its_words() {
    for (status, body, says, times) in [
        (
            200,
            "<html>",
            "a token of HOST cannot be read: there is none in the answer",
            2,
        ),
        (200, r#"{"token": ""}"#, "there is none in the answer", 2),
        (
            403,
            r#"{"details": "no such account"}"#,
            "no such account",
            2,
        ),
        (500, "", "http://HOST/token answered 500 (tried 4 times)", 8),
    ] {
        let (error, asked) = refused(move |asked, _| {
            if asked.path.starts_with("/token") {
                return Said::new(status, body);
            }
            let challenge = format!(r#"Bearer realm="http://{}/token""#, asked.host);
            Said::new(401, "").with("WWW-Authenticate", challenge)
        })
        .await;
        assert!(error.contains(says), "{status} {body}: {error}");
        assert_eq!(asked, times, "{status} {body}");
    }
}

#[tokio::test]
async fn a_page_a_circle_and_a_way_down_are_no_answers() {
    let page = |_: &RegistryRequest, _| {
        Said::new(200, "{}").with("Content-Type", "text/html; charset=utf-8")
    };
    let (error, _) = refused(page).await;
    assert!(
        error.ends_with("a page of HTML came in its place"),
        "{error}"
    );
    let circle =
        |asked: &RegistryRequest, _| Said::new(307, "").with("Location", asked.path.clone());
    let (error, times) = refused(circle).await;
    assert!(error.ends_with("in a circle, or too often"), "{error}");
    assert_eq!(times, 1);
    let away = |asked: &RegistryRequest, nth| {
        Said::new(307, "").with("Location", format!("{}{nth}", asked.path))
    };
    let (error, times) = refused(away).await;
    assert!(error.ends_with("in a circle, or too often"), "{error}");
    assert!(times < 9, "{times}");
    let other = |_: &RegistryRequest, _| Said::new(307, "").with("Location", "file:///etc/passwd");
    let (error, _) = refused(other).await;
    assert!(error.ends_with("to a URL of file"), "{error}");
}

#[tokio::test]
async fn a_manifest_without_end_is_not_read_to_it() {
    let huge = |_: &RegistryRequest, _| Said::new(200, vec![b' '; 5 << 20]);
    let (error, _) = refused(huge).await;
    assert!(error.contains("is larger than 4194304 bytes"), "{error}");
}

#[tokio::test]
async fn a_layer_that_is_longer_than_its_manifest_says_is_refused() {
    let made = CarriedImage::new();
    let (error, _) = refused(move |asked, _| {
        let mut said = made.says(asked);
        if asked.path.contains("/blobs/") && said.body.len() == 3000 {
            said.body.push(0);
        }
        said
    })
    .await;
    assert!(error.contains("is larger than 3000 bytes"), "{error}");
}

#[tokio::test]
async fn documents_of_another_digest_are_refused() {
    let made = CarriedImage::new();
    let there = made.clone();
    let (error, _) = refused(move |asked, _| {
        if asked.path.contains("/blobs/") {
            Said::new(200, "{}")
        } else {
            there.says(asked)
        }
    })
    .await;
    assert!(
        error.starts_with("HOST gives wrong bytes for the configuration of"),
        "{error}"
    );
    let server = Scripted::serve(move |asked, _| made.says(asked));
    let name = format!("{}/a/b@{}", server.at, Digest::of(b"another"));
    let error = have(&name, &options()).await.err().unwrap().to_string();
    assert!(
        error.contains("gives wrong bytes for the manifest of"),
        "{error}"
    );
}

#[tokio::test]
async fn nobody_and_silence_are_told_after_some_tries() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap().to_string();
    drop(listener);
    let error = have(&format!("{at}/a"), &options()).await.err().unwrap();
    let text = error.to_string();
    assert!(
        text.starts_with(&format!("{at} cannot be reached: ")),
        "{text}"
    );
    assert!(text.ends_with("(tried 4 times)"), "{text}");
    let mut quick = options();
    quick.patience.silence = Duration::from_millis(1);
    let server = Scripted::serve(|_, _| Said::silent());
    let error = have(&format!("{}/a", server.at), &quick)
        .await
        .err()
        .unwrap();
    let text = error.to_string();
    assert!(text.contains("no answer came in time"), "{text}");
}
