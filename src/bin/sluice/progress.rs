//! A swap that is under way: drawn over itself on a terminal, a line per change elsewhere.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use sluice::api::types::{Stage, SwapView};
use sluice::api::view::text::lasting;
use sluice::swap::Role;

use crate::exit::Failure;
use crate::screen::{Screen, Tone};

/// Shows one swap's way.
pub struct Progress {
    screen: Screen,
    began: Instant,
    bar: Option<ProgressBar>,
    last: Option<String>,
}

impl Progress {
    pub fn begin(screen: Screen) -> Progress {
        Progress {
            screen,
            began: Instant::now(),
            bar: screen.live.then(spinner),
            last: None,
        }
    }

    /// For remarks alone: somebody else prints the views.
    pub fn hidden(screen: Screen) -> Progress {
        Progress {
            screen,
            began: Instant::now(),
            bar: None,
            last: None,
        }
    }

    /// Shows a view, if it says something new.
    pub fn show(&mut self, swap: &SwapView) -> Result<(), Failure> {
        if let Some(bar) = &self.bar {
            bar.set_message(self.drawing(swap));
            return Ok(());
        }
        let line = swap.state.clone();
        if self.screen.json || self.last.as_ref() == Some(&line) {
            return Ok(());
        }
        let elapsed = self.began.elapsed().as_secs_f32();
        self.screen.line(&format!("{elapsed:8.1} s  {line}"))?;
        self.last = Some(line);
        Ok(())
    }

    /// A remark that is not part of any answer.
    pub fn remark(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None => eprintln!("{text}"),
        }
    }

    /// Takes the drawing away; what follows is printed below.
    pub fn end(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }

    fn drawing(&self, swap: &SwapView) -> String {
        let steps: Vec<String> = steps(swap)
            .into_iter()
            .map(|(mark, name)| match mark {
                Mark::Done => self.screen.paint(&format!("✓ {name}"), Tone::Good),
                Mark::Now => self.screen.paint(&format!("▸ {name}"), Tone::Warning),
                Mark::Open => self.screen.paint(&format!("· {name}"), Tone::Dim),
            })
            .collect();
        let mut text = format!("{}\n  {}", steps.join("   "), swap.state);
        if let Some(next) = &swap.next {
            let by = next
                .deadline
                .as_ref()
                .map_or(String::new(), |by| format!(", by {}", by.text));
            text.push_str(&format!("\n  next: {}{by}", next.what));
            let fallback = format!("\n  if nothing happens: {}", next.if_nothing_happens);
            text.push_str(&self.screen.paint(&fallback, Tone::Dim));
            for choice in &next.you_may {
                let command = format!("\n  you may: {}", choice.command);
                text.push_str(&self.screen.paint(&command, Tone::Dim));
            }
            if let Some(by_itself) = &next.by_itself {
                let by_itself = format!("\n  by itself: {by_itself}");
                text.push_str(&self.screen.paint(&by_itself, Tone::Dim));
            }
        }
        text
    }
}

fn spinner() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{spinner} {elapsed:>4}  {msg}").expect("a well-formed template");
    bar.set_style(style);
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

/// Where a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Done,
    Now,
    Open,
}

/// The steps of a swap in which all goes well, and how far this one is. A swap that leaves that way ends the list
/// with what it does instead.
fn steps(swap: &SwapView) -> Vec<(Mark, String)> {
    let claimed = match swap.role {
        Role::Taker => "claimed",
        Role::Maker => "peer claimed",
    };
    let confirming = format!("opening {}/{}", swap.confirmations, swap.confirmations_needed);
    let names = ["agreed".to_owned(), confirming, "paid".to_owned(), claimed.to_owned()];
    let reached = match swap.stage {
        Stage::Requested => 0,
        Stage::Agreed => 1,
        Stage::Opening | Stage::OpeningPublished | Stage::Confirming => 1,
        Stage::Paying => 2,
        Stage::Paid | Stage::Claiming => 3,
        Stage::Closed if swap.outcome.as_ref().is_some_and(|outcome| outcome.success) => 4,
        Stage::Refunding => return instead(swap, "taking the coins back"),
        Stage::Closing => return instead(swap, "ending"),
        Stage::Closed => return instead(swap, "ended"),
    };
    let mark = |place: usize| match place.cmp(&reached) {
        std::cmp::Ordering::Less => Mark::Done,
        std::cmp::Ordering::Equal => Mark::Now,
        std::cmp::Ordering::Greater => Mark::Open,
    };
    names
        .into_iter()
        .enumerate()
        .map(|(place, name)| (mark(place), name))
        .collect()
}

fn instead(swap: &SwapView, what: &str) -> Vec<(Mark, String)> {
    let agreed = swap.premium_sat.map(|_| (Mark::Done, "agreed".to_owned()));
    let opened = swap.opening.as_ref().map(|_| (Mark::Done, "opening".to_owned()));
    agreed
        .into_iter()
        .chain(opened)
        .chain([(Mark::Now, what.to_owned())])
        .collect()
}

/// How long ago something was, roughly.
pub fn age(unix_secs: u64) -> String {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let length = lasting(Duration::from_secs(now.saturating_sub(unix_secs)));
    // the largest unit alone
    length.split(' ').take(2).collect::<Vec<_>>().join(" ")
}
