//! `docs/states.md` says what the machine does: it is written from the machine, and this test keeps it fresh.
//! After a deliberate change: `BLESS=1 cargo test --test states_doc`.
#![allow(clippy::unwrap_used)]

#[path = "machine/fixtures/mod.rs"]
mod fixtures;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::{env, fs};

use fixtures::*;
use sluice::store::state_name;
use sluice::swap::event::{
    EffectKind, Event, Failure, InvoiceKind, InvoiceStatus, MessageKind, PaymentStatus, PeerMessage, SpendPath, TxKind,
};
use sluice::swap::state::{Maker, State, Swap};
use sluice::swap::terms::{Kind, Role};
use sluice::swap::{Now, Step, holds_channel, step, wants};
use sluice::units::{Asset, CltvDelta, Height};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/states.md");

const INTRODUCTION: &str = "\
# The states of a swap

Written from the machine by `BLESS=1 cargo test --test states_doc`; do not edit. A test compares.

The table of wants says what the world is made to do while a swap is in a state: always, and in brackets what only
some of its forms want. The table of steps was found by showing events to a swap of L-BTC (payment window of 60 blocks,
timelock of 10,080) in every form of every state. What is not listed changes nothing.
*Final* is two blocks deep; *late* is when every deadline in time has passed; *noted* is a step to the same state.
";

/// Something that happens, with the words for it.
struct Happening {
    words: String,
    now: Now,
    event: Event,
}

/// What the chain may show; of an opening only once the swap knows of one, and spends as the other side may make them.
fn views(swap: &Swap) -> Vec<(String, Event)> {
    let mut views = Vec::new();
    for (tip, when) in [
        (103, ""),
        (153, ", too late to open"),
        (160, ", window over"),
        (1600, ", a day later"),
    ] {
        views.push((format!("opening unseen{when}"), unseen(tip)));
    }
    let knows_opening = match &swap.state {
        State::Maker(_, maker) => maker.opening().is_some(),
        State::Taker(_, taker) => taker.offer().is_some(),
        State::Requested { .. } | State::Canceling { .. } | State::Closed(_) => false,
    };
    if !knows_opening {
        return views;
    }
    views.push(("opening in mempool".into(), in_mempool(103)));
    views.push(("opening in a block".into(), seen(101, 101)));
    views.push(("opening final".into(), seen(102, 101)));
    views.push(("opening final, window over".into(), seen(160, 101)));
    views.push(("opening final, timelock over".into(), seen(10_180, 101)));
    let spends = match swap.role {
        Role::Taker => {
            views.push((
                "bad opening in a block".into(),
                Event::Chain(view(101, confirmed_bad(101))),
            ));
            vec![
                (SpendPath::Preimage, true),
                (SpendPath::Coop, false),
                (SpendPath::Csv, false),
            ]
        }
        Role::Maker => {
            views.push(("opening's input spent elsewhere, final".into(), conflict(104, 103)));
            if matches!(&swap.state, State::Maker(_, Maker::Voiding(_))) {
                views.push(("opening's input gone".into(), gone(103)));
                views.push(("opening's input gone, timelock over".into(), gone(20_000)));
            }
            vec![
                (SpendPath::Preimage, false),
                (SpendPath::Coop, true),
                (SpendPath::Csv, true),
                (SpendPath::Csv, false),
            ]
        }
    };
    for (path, ours) in spends {
        let event = spent(120, 110, path, ours);
        views.push((format!("{}, final", event_name(&event)), event));
    }
    views
}

fn messages(kind: Kind) -> Vec<(String, Event)> {
    let named = |event: Event| (event_name(&event), event);
    let mut events: Vec<(String, Event)> = [agreement(kind), announced(kind, Asset::Lbtc), cancel(), coop_close()]
        .into_iter()
        .chain([MessageKind::Agreement, MessageKind::Opening].map(malformed))
        .map(named)
        .collect();
    let mut dear = deal();
    dear.premium = PREMIUM + bitcoin::SignedAmount::ONE_SAT;
    let event = agreement_of(kind, 7, dear);
    events.push((format!("{}, too dear", event_name(&event)), event));
    let mut unpayable = offer(kind, Asset::Lbtc);
    unpayable.invoice.final_cltv = CltvDelta(30);
    events.push((
        "opening_tx_broadcasted, unpayable".into(),
        Event::Peer(PeerMessage::Opening(unpayable)),
    ));
    events.push(("coop_close, wrong key".into(), coop_close_with(other_key())));
    events
}

fn reports() -> Vec<Event> {
    let kinds = [InvoiceKind::Fee, InvoiceKind::Claim];
    let invoices = [InvoiceStatus::Open, InvoiceStatus::Paid, InvoiceStatus::Closed];
    let mut events = vec![
        Event::Started,
        Event::Tick,
        abort(),
        made_opening(),
        made_claim(2),
        made_void(),
        made_push(2),
        bump(None),
        Event::Accepted(TxKind::Opening),
        Event::Accepted(TxKind::Claim),
        Event::Accepted(TxKind::Void),
        Event::Accepted(TxKind::Push),
    ];
    for kind in kinds {
        events.extend(invoices.map(|status| Event::Invoice(kind, status)));
        let payments = [
            PaymentStatus::InFlight,
            PaymentStatus::Absent,
            PaymentStatus::Paid(preimage(kind)),
        ];
        events.extend(payments.map(|status| Event::Payment(kind, status)));
        let failures = [Failure::Temporary, Failure::NoBalance];
        events.extend(failures.map(|failure| Event::Payment(kind, PaymentStatus::Failed(failure))));
        events.extend([
            Event::CallLost(kind),
            made_invoice(kind),
            Event::Refused(EffectKind::Pay(kind), "no".into()),
        ]);
    }
    let refused = [
        EffectKind::Send,
        EffectKind::MakeInvoice,
        EffectKind::MakeOpening,
        EffectKind::MakeClaim,
        EffectKind::MakePush,
        EffectKind::MakeVoid,
        EffectKind::Broadcast(TxKind::Void),
    ];
    events.extend(refused.map(|effect| Event::Refused(effect, "no".into())));
    events.push(Event::Refused(EffectKind::Broadcast(TxKind::Opening), "no".into()));
    events.extend([MessageKind::Request, MessageKind::Cancel, MessageKind::CoopClose].map(Event::Sent));
    events
}

/// Everything that is shown to every form of every state: soon after its beginning, then late.
fn happenings(swap: &Swap) -> Vec<Happening> {
    let soon = Now {
        time: START.plus_secs(20),
        tip: Some(Height(110)),
    };
    let late = Now {
        time: START.plus_secs(100_000),
        ..soon
    };
    let mut happenings = Vec::new();
    for (words, event) in messages(swap.kind).into_iter().chain(views(swap)) {
        let tip = match &event {
            Event::Chain(view) => Some(view.tip),
            _ => soon.tip,
        };
        happenings.push(Happening {
            words,
            now: Now { tip, ..soon },
            event,
        });
    }
    for event in reports() {
        let words = event_name(&event);
        happenings.push(Happening {
            words: format!("{words}, late"),
            now: late,
            event: event.clone(),
        });
        happenings.push(Happening {
            words,
            now: soon,
            event,
        });
    }
    happenings
}

/// A state's name; of a closed swap, the outcome.
fn name(swap: &Swap) -> String {
    match &swap.state {
        State::Closed(outcome) => format!("closed ({})", outcome_name(outcome)),
        other => state_name(other).into(),
    }
}

/// By state and next state, the words of the events that lead there.
type Steps = BTreeMap<(String, String), BTreeSet<String>>;

fn steps(role: Role) -> Steps {
    let mut steps = Steps::new();
    for swap in forms(role) {
        for happening in happenings(&swap) {
            if let Step::To(next) = step(&swap, happening.now, &happening.event) {
                steps
                    .entry((name(&swap), name(&next)))
                    .or_default()
                    .insert(happening.words.clone());
            }
        }
    }
    for events in steps.values_mut() {
        // What happens soon as well does not happen only late.
        let soon = events.clone();
        events.retain(|words| words.strip_suffix(", late").is_none_or(|words| !soon.contains(words)));
    }
    steps
}

fn write_wants(page: &mut String, role: Role) {
    let mut by_state: BTreeMap<String, Vec<(BTreeSet<String>, bool)>> = BTreeMap::new();
    for swap in forms(role) {
        let wanted = wants(&swap).iter().map(effect_name).collect();
        by_state
            .entry(name(&swap))
            .or_default()
            .push((wanted, holds_channel(&swap.state)));
    }
    page.push_str("\n| state | wants | holds the channel |\n|---|---|---|\n");
    for (state, forms) in by_state {
        let all: BTreeSet<&String> = forms.iter().flat_map(|(wanted, _)| wanted).collect();
        let (always, sometimes): (Vec<&String>, Vec<&String>) = all
            .into_iter()
            .partition(|effect| forms.iter().all(|(wanted, _)| wanted.contains(*effect)));
        let sometimes: Vec<String> = sometimes.iter().map(|effect| format!("[{effect}]")).collect();
        let words: Vec<String> = always.into_iter().cloned().chain(sometimes).collect();
        let holds: BTreeSet<bool> = forms.iter().map(|(_, holds)| *holds).collect();
        let holds = match (holds.contains(&true), holds.contains(&false)) {
            (true, true) => "while it may be paid",
            (true, false) => "yes",
            (false, _) => "no",
        };
        writeln!(page, "| {state} | {} | {holds} |", words.join(", ")).unwrap();
    }
}

fn write_steps(page: &mut String, steps: &Steps) {
    page.push_str("\n| state | event | next |\n|---|---|---|\n");
    for ((from, to), events) in steps {
        let to = if from == to { "*noted*" } else { to };
        let events: Vec<&str> = events.iter().map(String::as_str).collect();
        writeln!(page, "| {from} | {} | {to} |", events.join("; ")).unwrap();
    }
}

fn write_diagram(page: &mut String, steps: &Steps) {
    page.push_str("\n```mermaid\nstateDiagram-v2\n");
    let edges: BTreeSet<(String, String)> = steps
        .keys()
        .map(|(from, to)| (from.clone(), to.split(" (").next().unwrap_or(to).to_owned()))
        .filter(|(from, to)| from != to)
        .collect();
    for (from, to) in edges {
        writeln!(page, "    {from} --> {}", if to == "closed" { "[*]" } else { &to }).unwrap();
    }
    page.push_str("```\n");
}

fn generate() -> String {
    let mut page = INTRODUCTION.to_owned();
    for (title, role) in [("Taker", Role::Taker), ("Maker", Role::Maker)] {
        writeln!(page, "\n## {title}").unwrap();
        let steps = steps(role);
        write_diagram(&mut page, &steps);
        write_wants(&mut page, role);
        write_steps(&mut page, &steps);
    }
    page
}

#[test]
fn the_page_of_states_is_what_the_machine_does() {
    let generated = generate();
    if env::var_os("BLESS").is_some() {
        fs::create_dir_all(concat!(env!("CARGO_MANIFEST_DIR"), "/docs")).unwrap();
        fs::write(PAGE, &generated).unwrap();
    }
    let written = fs::read_to_string(PAGE).unwrap_or_default();
    assert!(
        written == generated,
        "docs/states.md is stale: BLESS=1 cargo test --test states_doc, then look at the diff"
    );
}

#[test]
fn every_state_is_on_the_page_and_has_a_way_out() {
    for (role, states) in [(Role::Taker, 9), (Role::Maker, 9)] {
        let steps = steps(role);
        let names: BTreeSet<String> = forms(role).iter().map(name).collect();
        assert_eq!(names.len(), states, "{names:?}");
        for state in names {
            assert!(
                steps.keys().any(|(from, to)| *from == state && *to != state),
                "{state} has no way out"
            );
        }
    }
}
