//! Configuration as an operator gives it.

use std::fs;

use tempfile::TempDir;

use super::*;

const EXAMPLE: &str = include_str!("../../config/sluice.example.toml");

/// A home folder, with that configuration in its `.sluice`.
fn home(toml: &str) -> TempDir {
    let dir = TempDir::new().unwrap();
    fs::create_dir(dir.path().join(".sluice")).unwrap();
    fs::write(dir.path().join(".sluice").join(FILE_NAME), toml).unwrap();
    dir
}

fn sources(home: &TempDir, environment: &[(&str, &str)], flags: &[&str]) -> Sources {
    let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let mut environment: Vec<_> = environment.iter().map(pair).collect();
    environment.push(("HOME".into(), home.path().to_str().unwrap().into()));
    Sources {
        file: None,
        environment,
        overrides: flags.iter().map(|flag| (*flag).to_owned()).collect(),
    }
}

fn load(toml: &str, environment: &[(&str, &str)], flags: &[&str]) -> Result<Config, String> {
    let home = home(toml);
    let shown = home.path().to_str().unwrap().to_owned();
    let loaded = Config::load(&sources(&home, environment, flags));
    loaded.map_err(|error| error.to_string().replace(&shown, "~"))
}

fn refusal(toml: &str, environment: &[(&str, &str)], flags: &[&str]) -> String {
    load(toml, environment, flags).expect_err("it must be refused")
}

/// The heads of both chains' sections: all that must be configured.
const BOTH: &str = "[liquid]\n[bitcoin]\n";

/// How a configuration's Elements node is reached.
fn liquid_of(config: Config) -> ChainNode {
    config.liquid.expect("it is configured").node
}

/// The example with every key in force.
fn uncommented() -> String {
    let is_key = |line: &str| line.starts_with(|c: char| c.is_ascii_lowercase());
    let lines = EXAMPLE
        .lines()
        .map(|line| line.strip_prefix('#').filter(|rest| is_key(rest)).unwrap_or(line));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn where_only_the_chains_are_named_the_defaults_hold() {
    let dir = home(BOTH);
    let config = Config::load(&sources(&dir, &[], &[])).unwrap();
    let home = dir.path();
    assert_eq!(config.data_dir, home.join(".sluice"));
    assert_eq!(config.api.token_file, home.join(".sluice/api.token"));
    assert_eq!(config.api.listen.to_string(), "127.0.0.1:9738");
    let (liquid, bitcoin) = (config.liquid.unwrap().node, config.bitcoin.unwrap().node);
    assert_eq!(
        liquid.access.auth,
        RpcAuth::Cookie(home.join(".elements/liquidv1/.cookie"))
    );
    assert_eq!((liquid.fee_floor, liquid.fee_ceiling), (FeeRate(100), FeeRate(10_000)));
    assert_eq!(bitcoin.access.auth, RpcAuth::Cookie(home.join(".bitcoin/.cookie")));
    assert_eq!(
        (bitcoin.fee_floor, bitcoin.fee_ceiling),
        (FeeRate(1_000), FeeRate(200_000))
    );
    let Lightning::Lnd(lnd) = config.lightning else {
        panic!("the default is lnd, not {:?}", config.lightning);
    };
    assert_eq!(lnd.tls_cert, home.join(".lnd/tls.cert"));
}

#[test]
fn the_backend_chooses_the_lightning_node() {
    let toml =
        "[liquid]\n[lightning]\nbackend = \"cln\"\n[lightning.cln]\naddress = \"box:9736\"\nclient_key = \"/k.pem\"\n";
    let Lightning::Cln(cln) = load(toml, &[], &[]).unwrap().lightning else {
        panic!("not cln");
    };
    assert_eq!((cln.address.as_str(), cln.client_key), ("box:9736", "/k.pem".into()));
    assert!(cln.ca_cert.ends_with(".lightning/bitcoin/ca.pem"));
    assert_eq!(
        refusal("[liquid]", &[], &["lightning.backend=eclair"]),
        "`lightning.backend` is \"eclair\" from a flag, must be `lnd` or `cln`"
    );
}

#[test]
fn the_example_has_every_key_with_its_default() {
    let dir = home(BOTH);
    let defaults = Config::load(&sources(&dir, &[], &[])).unwrap();
    for text in [EXAMPLE.to_owned(), uncommented()] {
        fs::write(dir.path().join(".sluice").join(FILE_NAME), text).unwrap();
        assert_eq!(Config::load(&sources(&dir, &[], &[])).unwrap(), defaults);
    }
    let given = sources(&dir, &[], &[]).collect().unwrap();
    assert_eq!(
        given.values.keys().map(String::as_str).collect::<Vec<_>>(),
        read::keys()
    );
}

#[test]
fn a_flag_wins_over_the_environment_and_that_over_the_file() {
    let toml = "[liquid]\nwallet = \"file\"\nuser = \"file\"\npassword = \"file\"\nfee_floor_sat_per_kvb = 1_000\n";
    let environment = [
        ("SLUICE_LIQUID__WALLET", "environment"),
        ("SLUICE_LIQUID__USER", "environment"),
    ];
    let config = load(
        toml,
        &environment,
        &["liquid.wallet=flag", "liquid.fee_ceiling_sat_per_kvb=2_000"],
    )
    .unwrap();
    let liquid = liquid_of(config);
    assert_eq!(liquid.wallet, "flag");
    assert_eq!((liquid.fee_floor, liquid.fee_ceiling), (FeeRate(1000), FeeRate(2000)));
    let expected = RpcAuth::Password {
        user: "environment".into(),
        password: Zeroizing::new("file".into()),
    };
    assert_eq!(liquid.access.auth, expected);
}

#[test]
fn an_unknown_key_is_named_with_its_place_and_its_neighbours() {
    assert_eq!(
        refusal("[api]\nlisten_on = \"127.0.0.1:1\"", &[], &[]),
        "unknown key `api.listen_on` from ~/.sluice/sluice.toml; the section has api.token_file, api.listen"
    );
    assert_eq!(
        refusal("", &[("SLUICE_LIQIUD__WALLET", "x")], &[]),
        "unknown key `liqiud.wallet` from the environment (SLUICE_LIQIUD__WALLET); \
         sections are api, log, lightning, lightning.lnd, lightning.cln, liquid, bitcoin, limits, rescue, and the \
         key data_dir"
    );
    assert!(refusal("", &[], &["wallet=x"]).starts_with("unknown key `wallet` from a flag; "));
    assert!(refusal("[lightnign.lnd]", &[], &[]).starts_with("unknown key `lightnign.lnd` from "));
    assert!(refusal("api = 5", &[], &[]).starts_with("unknown key `api` from "));
    assert!(load("[lightning]\n[lightning.lnd]\n[liquid]\n", &[], &[]).is_ok());
}

#[test]
fn variables_of_the_command_line_tool_are_no_configuration() {
    let environment = [
        ("SLUICE_RPC_URL", "http://127.0.0.1:1"),
        ("SLUICE_TOKEN_FILE", "/x"),
        ("PATH", "/bin"),
    ];
    assert_eq!(
        load(BOTH, &environment, &[]).map(|config| liquid_of(config).access.url),
        Ok("http://127.0.0.1:7041".into())
    );
}

#[test]
fn a_bad_value_is_told_with_what_is_allowed_and_where_it_came_from() {
    assert_eq!(
        refusal("[api]\nlisten = \"localhost\"", &[], &[]),
        "`api.listen` is \"localhost\" from ~/.sluice/sluice.toml, must be an IP address and a port"
    );
    assert_eq!(
        refusal("", &[("SLUICE_LOG__FORMAT", "xml")], &[]),
        "`log.format` is \"xml\" from the environment (SLUICE_LOG__FORMAT), must be `auto`, `human` or `json`"
    );
    assert_eq!(
        refusal("", &[], &["limits.fee_invoice_factor=0"]),
        "`limits.fee_invoice_factor` is \"0\" from a flag, must be an integer of 1 to 100"
    );
    for (toml, key) in [
        ("[api]\nlisten = 5", "api.listen"),
        ("[log]\nlevel = \"loud\"", "log.level"),
        ("[log]\nlevel = \"info,sluice=loud\"", "log.level"),
        ("[lightning]\nbackend = \"eclair\"", "lightning.backend"),
        ("[lightning.lnd]\naddress = \"127.0.0.1\"", "lightning.lnd.address"),
        (
            "[lightning.lnd]\naddress = \"https://127.0.0.1:10009\"",
            "lightning.lnd.address",
        ),
        ("[lightning.lnd]\ntls_cert = true", "lightning.lnd.tls_cert"),
        ("[liquid]\nrpc_url = \"127.0.0.1:7041\"", "liquid.rpc_url"),
        (
            "[liquid]\nrpc_url = \"http://127.0.0.1:7041/wallet/x\"",
            "liquid.rpc_url",
        ),
        ("[liquid]\nwallet = \"a/b\"", "liquid.wallet"),
        ("[liquid]\nfee_floor_sat_per_kvb = 0.1", "liquid.fee_floor_sat_per_kvb"),
        (
            "[liquid]\nfee_floor_sat_per_kvb = \"100\"",
            "liquid.fee_floor_sat_per_kvb",
        ),
        (
            "[liquid]\nfee_ceiling_sat_per_kvb = 99",
            "liquid.fee_ceiling_sat_per_kvb",
        ),
        ("[liquid]\nsafe_releases = \"23.3.4-23.3.99\"", "liquid.safe_releases"),
        ("[liquid]\nsafe_releases = [\"23.3.4\"]", "liquid.safe_releases"),
        ("[bitcoin]\nrpc_url = \"https://127.0.0.1:8332\"", "bitcoin.rpc_url"),
        (
            "[bitcoin]\nfee_ceiling_sat_per_kvb = 999",
            "bitcoin.fee_ceiling_sat_per_kvb",
        ),
    ] {
        let text = refusal(toml, &[], &[]);
        assert!(text.starts_with(&format!("`{key}` is ")), "{toml}: {text}");
    }
}

#[test]
fn one_chain_is_enough_and_none_is_refused() {
    let chains = |toml, environment: &[(&str, &str)], flags: &[&str]| {
        let config = load(toml, environment, flags)?;
        Ok::<_, String>((config.liquid.is_some(), config.bitcoin.is_some()))
    };
    assert_eq!(chains("[liquid]", &[], &[]), Ok((true, false)));
    assert_eq!(chains("[bitcoin]", &[], &[]), Ok((false, true)));
    assert_eq!(chains("", &[("SLUICE_BITCOIN__WALLET", "w")], &[]), Ok((false, true)));
    assert_eq!(chains("[bitcoin]", &[], &["liquid.wallet=w"]), Ok((true, true)));
    let text = chains("", &[], &[]).unwrap_err();
    assert!(text.starts_with("no chain is configured: "), "{text}");
}

#[test]
fn lists_can_be_given_outside_of_the_file_too() {
    let releases = |environment: &[(&str, &str)]| load("", environment, &[]).unwrap().liquid.unwrap().safe_releases;
    let both = [("SLUICE_LIQUID__SAFE_RELEASES", "23.3.4-23.3.99, 28.0.1-28.0.9")];
    assert_eq!(releases(&both), ["23.3.4-23.3.99", "28.0.1-28.0.9"]);
}

#[test]
fn a_user_needs_one_password_and_excludes_the_cookie() {
    for (toml, key) in [
        ("user = \"u\"", "liquid.user"),
        ("password = \"hunter2\"", "liquid.password"),
        ("password_file = \"/x\"", "liquid.password_file"),
        (
            "user = \"u\"\npassword = \"hunter2\"\ncookie_file = \"/x\"",
            "liquid.cookie_file",
        ),
        (
            "user = \"u\"\npassword = \"hunter2\"\npassword_file = \"/x\"",
            "liquid.password_file",
        ),
    ] {
        let text = refusal(&format!("[liquid]\n{toml}"), &[], &[]);
        assert!(
            text.starts_with(&format!("`{key}` is ")) && !text.contains("hunter2"),
            "{text}"
        );
    }
    let dir = home("[liquid]\nuser = \"u\"\npassword_file = \"~/password\"");
    fs::write(dir.path().join("password"), "hunter2\n").unwrap();
    let auth = liquid_of(Config::load(&sources(&dir, &[], &[])).unwrap()).access.auth;
    let password = Zeroizing::new("hunter2".to_owned());
    assert_eq!(
        auth,
        RpcAuth::Password {
            user: "u".into(),
            password
        }
    );
    assert_eq!(format!("{auth:?}"), "Password(u, …)");
}

#[test]
fn no_error_shows_a_password() {
    for toml in [
        "[liquid]\npassword = 5551234",
        "[bitcoin]\npassword = 5551234",
        "[liquid]\npassword = \"5551234",
        "[liquid]\nrpc_url = \"http://127.0.0.1:7041\"\npassword = \"5551234\" x",
    ] {
        let text = refusal(toml, &[], &[]);
        assert!(!text.contains("5551234"), "{text}");
    }
    assert!(!refusal("", &[], &["=5551234"]).contains("5551234"));
}

#[test]
fn a_file_that_is_not_toml_or_not_there_is_told() {
    let text = refusal("[api]\nlisten == 5", &[], &[]);
    assert!(
        text.starts_with("~/.sluice/sluice.toml: TOML parse error at line 2, column 9: "),
        "{text}"
    );
    let dir = home("");
    let missing = Sources {
        file: Some(dir.path().join("other.toml")),
        ..sources(&dir, &[], &[])
    };
    let error = Config::load(&missing).expect_err("it is not there").to_string();
    assert!(error.contains("other.toml: No such file"), "{error}");
}

#[test]
fn the_file_of_another_data_folder_is_found_there() {
    let dir = home("");
    let other = dir.path().join("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join(FILE_NAME), "[liquid]\nwallet = \"other\"").unwrap();
    let flag = format!("data_dir={}", other.display());
    for given in [
        sources(&dir, &[("SLUICE_DATA_DIR", other.to_str().unwrap())], &[]),
        sources(&dir, &[], &[&flag]),
        sources(&dir, &[], &["data_dir=~/other"]),
    ] {
        let config = Config::load(&given).unwrap();
        assert_eq!(
            (config.data_dir.as_path(), &config.api.token_file),
            (other.as_path(), &other.join("api.token"))
        );
        assert_eq!(liquid_of(config).wallet, "other");
    }
}

#[test]
fn without_a_home_folder_paths_must_be_given() {
    let nowhere = Sources::default();
    let text = Config::load(&nowhere).expect_err("no home").to_string();
    assert_eq!(
        text,
        "`data_dir` is ~/.sluice, and there is no home folder: set HOME or `data_dir`"
    );
    let flags = [
        "data_dir",
        "lightning.lnd.tls_cert",
        "lightning.lnd.macaroon",
        "liquid.cookie_file",
    ];
    let given = Sources {
        overrides: flags.iter().map(|key| format!("{key}=/srv/x")).collect(),
        ..nowhere
    };
    assert!(Config::load(&given).is_ok());
}

#[test]
fn a_witness_has_its_own_access_and_none_of_it_without_an_address() {
    let toml = "[bitcoin]\nwitness_rpc_url = \"http://box:8332/\"\nwitness_user = \"u\"\nwitness_password = \"p\"\n";
    let witness = load(toml, &[], &[]).unwrap().bitcoin.unwrap().node.witness.unwrap();
    assert_eq!(witness.url, "http://box:8332");
    let auth = RpcAuth::Password {
        user: "u".into(),
        password: Zeroizing::new("p".into()),
    };
    assert_eq!(witness.auth, auth);
    for (keys, expected) in [
        (
            "witness_user = \"u\"",
            "`bitcoin.witness_user` is \"u\" from ~/.sluice/sluice.toml, must be empty unless `bitcoin.witness_rpc_url` is set",
        ),
        (
            "witness_password = \"5551234\"",
            "`bitcoin.witness_password` is … from ~/.sluice/sluice.toml, must be empty unless `bitcoin.witness_rpc_url` is set",
        ),
        (
            "witness_rpc_url = \"box:8332\"",
            "`bitcoin.witness_rpc_url` is \"box:8332\" from ~/.sluice/sluice.toml, must be http://host:port, without a path",
        ),
        (
            "witness_rpc_url = \"http://box:8332\"",
            "`bitcoin.witness_cookie_file` is not set from the defaults, must be set, unless `bitcoin.witness_user` is",
        ),
    ] {
        assert_eq!(refusal(&format!("[bitcoin]\n{keys}\n"), &[], &[]), expected);
    }
}

#[test]
fn the_patience_with_a_chain_without_blocks_is_the_chains_own_unless_set() {
    assert_eq!(liquid_of(load(BOTH, &[], &[]).unwrap()).stalled_after, None);
    let set = load(BOTH, &[], &["liquid.stalled_after_minutes=25"]).unwrap();
    assert_eq!(liquid_of(set).stalled_after, Some(Duration::from_secs(25 * 60)));
    assert_eq!(
        refusal(BOTH, &[], &["liquid.stalled_after_minutes=-1"]),
        "`liquid.stalled_after_minutes` is \"-1\" from a flag, must be an integer of 0 to 10080"
    );
}

#[test]
fn btc_is_paid_from_where_the_operator_wants() {
    let funds = |key: &str| load(&format!("[bitcoin]\n{key}"), &[], &[]).map(|config| config.bitcoin.unwrap().funds);
    assert_eq!(funds("").unwrap(), Funds::Auto);
    assert_eq!(funds("funds = \"lightning\"").unwrap(), Funds::Lightning);
    assert!(funds("funds = \"lnd\"").is_err());
}
