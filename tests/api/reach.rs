//! How `sluice` finds the daemon and its token, and what it says when it does not.

use crate::cli::{code, command, err, json, sluice};
use crate::served::Served;

#[tokio::test]
async fn a_tilde_that_no_shell_has_put_out_is_the_home_folder() {
    let served = Served::begin().await;
    let home = served.folder.path().parent().unwrap();
    let folder = format!("~/{}", served.folder.path().file_name().unwrap().to_str().unwrap());
    for (variable, path) in [
        ("SLUICE_DATA_DIR", folder.clone()),
        ("SLUICE_TOKEN_FILE", format!("{folder}/api.token")),
    ] {
        let mut asked = command(&["info", "--rpc-url", &served.url()]);
        asked.env("HOME", home).env(variable, path);
        let output = asked.output().await.unwrap();
        assert_eq!(code(&output), 0, "{variable}: {}", err(&output));
    }
}

#[tokio::test]
async fn a_daemon_that_is_not_there_is_told_from_one_that_says_no() {
    let served = Served::begin().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let gone = sluice(&served, &["info", "--rpc-url", &nobody, "--json"]).await;
    assert_eq!(code(&gone), 5);
    assert!(err(&gone).contains("does not answer"), "{}", err(&gone));
    assert!(err(&gone).contains("Connection refused"), "{}", err(&gone));
    assert_eq!(json(&gone)["error"]["data"]["error"], "unreachable");

    let other = Served::begin().await;
    let wrong = served.token_file().display().to_string();
    for args in [["info", "--token-file", &wrong], ["swap", "watch", "--token-file"]] {
        let args = if args[0] == "info" {
            args.to_vec()
        } else {
            [&args[..], &[&wrong]].concat()
        };
        let refused = sluice(&other, &args).await;
        assert_eq!(code(&refused), 5, "{args:?}: {}", err(&refused));
        assert!(err(&refused).contains("does not take the token"), "{}", err(&refused));
    }
    let none = sluice(&served, &["info", "--token-file", "/nowhere/api.token"]).await;
    assert_eq!((code(&none), err(&none).contains("/nowhere/api.token")), (5, true));
}
