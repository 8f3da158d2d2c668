//! Reorgs, late watches and answers for tips that are gone.

use bitcoin::ScriptBuf;
use bitcoin::hashes::Hash;

use super::*;
use crate::chain::watch::matches::Index;
use crate::chain::watch::source::ChainTx;
use crate::units::OutPoint;

/// A transaction of one output, to the watched script.
struct Tx(u8, Vec<OutPoint>);

impl ChainTx for Tx {
    fn txid(&self) -> TxId {
        txid(self.0)
    }
    fn spends(&self) -> Vec<OutPoint> {
        self.1.clone()
    }
    fn outputs_to(&self, _: &ScriptBuf) -> Vec<u32> {
        vec![0]
    }
    fn raw(&self) -> RawTx {
        RawTx::from(vec![self.0])
    }
}

fn txid(number: u8) -> TxId {
    TxId(bitcoin::Txid::from_byte_array([number; 32]))
}

fn output(number: u8, vout: u32) -> OutPoint {
    OutPoint {
        txid: txid(number),
        vout,
    }
}

fn block(height: u32, branch: u8) -> Tip {
    Tip {
        height: Height(height),
        hash: BlockHash::from_byte_array([height as u8 ^ branch; 32]),
    }
}

const OPENING: u8 = 1;
const CLAIM: u8 = 2;
const RIVAL: u8 = 3;

fn watch() -> Watch {
    Watch {
        swap: SwapId([9; 32]),
        script: ScriptBuf::new(),
        opening: Some(txid(OPENING)),
        tx: None,
        inputs: vec![output(7, 0)],
        since: Height(1),
    }
}

fn opening() -> Tx {
    Tx(OPENING, vec![output(7, 0)])
}

fn claim() -> Tx {
    Tx(CLAIM, vec![output(OPENING, 0)])
}

/// A book at block 10 with the watch taken up, and nothing found in the blocks so far.
fn book() -> Book {
    let mut book = Book::default();
    book.restart(block(10, 0));
    book.register(&watch(), block(10, 0));
    let nothing = Answer {
        swap: watch().swap,
        as_of: block(10, 0).hash,
        hits: vec![],
        mempool: None,
    };
    assert!(book.resolve(&watch(), nothing));
    book
}

fn extend(book: &mut Book, fork: Tip, path: &[(Tip, Vec<Tx>)]) -> usize {
    let watches: Vec<Watch> = book.watches().cloned().collect();
    let index = Index::of(&watches);
    let hits = path.iter().flat_map(|(block, txs)| index.hits(*block, txs)).collect();
    let blocks: Vec<Tip> = path.iter().map(|(block, _)| *block).collect();
    book.extend(fork, &blocks, hits, book.generation)
}

fn heights(book: &Book) -> [Option<Height>; 3] {
    let seen = book.sighting(&watch()).expect("resolved");
    [seen.opening, seen.spend, seen.conflict].map(|found| found.and_then(|found| found.at))
}

#[test]
fn an_opening_and_its_spend_are_found_in_either_order() {
    let (opened, spent) = (block(11, 0), block(12, 0));
    let mut book = book();
    extend(
        &mut book,
        block(10, 0),
        &[(opened, vec![opening()]), (spent, vec![claim()])],
    );
    assert_eq!(heights(&book), [Some(Height(11)), Some(Height(12)), None]);
    // and in one block
    let mut book = self::book();
    extend(&mut book, block(10, 0), &[(opened, vec![opening(), claim()])]);
    assert_eq!(heights(&book), [Some(Height(11)), Some(Height(11)), None]);
}

#[test]
fn a_spend_of_another_output_of_the_opening_is_none() {
    let mut book = book();
    let change = Tx(CLAIM, vec![output(OPENING, 1)]);
    extend(&mut book, block(10, 0), &[(block(11, 0), vec![opening(), change])]);
    assert_eq!(heights(&book), [Some(Height(11)), None, None]);
}

#[test]
fn a_reorg_takes_back_what_its_blocks_held_and_no_more() {
    let mut book = book();
    extend(
        &mut book,
        block(10, 0),
        &[(block(11, 0), vec![opening()]), (block(12, 0), vec![claim()])],
    );
    let undone = extend(
        &mut book,
        block(11, 0),
        &[(block(12, 64), vec![]), (block(13, 64), vec![])],
    );
    assert_eq!((undone, heights(&book)), (1, [Some(Height(11)), None, None]));
    let rival = Tx(RIVAL, vec![output(7, 0)]);
    let undone = extend(&mut book, block(10, 0), &[(block(11, 128), vec![rival])]);
    assert_eq!((undone, heights(&book)), (3, [None, None, Some(Height(11))]));
}

#[test]
fn a_shorter_chain_takes_back_too() {
    let mut book = book();
    extend(&mut book, block(10, 0), &[(block(11, 0), vec![opening()])]);
    assert_eq!(extend(&mut book, block(10, 0), &[]), 1);
    assert_eq!((book.tip(), heights(&book)), (Some(block(10, 0)), [None, None, None]));
}

#[test]
fn a_watch_that_came_while_blocks_were_read_is_looked_up_up_to_them() {
    let mut book = book();
    let before = book.generation;
    let late = Watch {
        swap: SwapId([8; 32]),
        ..watch()
    };
    book.register(&late, block(10, 0));
    let stale = Answer {
        swap: late.swap,
        as_of: block(10, 0).hash,
        hits: vec![],
        mempool: None,
    };
    assert!(book.resolve(&late, stale));
    // matched for the watches of before, hence not for the late one
    book.extend(block(10, 0), &[block(11, 0)], vec![], before);
    assert_eq!(book.sighting(&late), None);
    assert!(
        book.sighting(&watch()).is_some(),
        "the others are not asked about again"
    );
    let too_old = Answer {
        swap: late.swap,
        as_of: block(10, 0).hash,
        hits: vec![],
        mempool: None,
    };
    assert!(!book.resolve(&late, too_old));
    let fresh = Answer {
        swap: late.swap,
        as_of: block(11, 0).hash,
        hits: vec![],
        mempool: None,
    };
    assert!(book.resolve(&late, fresh) && book.sighting(&late).is_some());
}

#[test]
fn an_answer_for_a_tip_that_is_gone_is_not_taken() {
    let mut book = book();
    let late = Watch {
        swap: SwapId([8; 32]),
        ..watch()
    };
    extend(&mut book, block(10, 0), &[(block(11, 0), vec![])]);
    book.register(&late, block(11, 0));
    extend(&mut book, block(10, 0), &[(block(11, 64), vec![])]);
    let answer = Answer {
        swap: late.swap,
        as_of: block(11, 0).hash,
        hits: vec![],
        mempool: None,
    };
    assert!(!book.resolve(&late, answer));
}

#[test]
fn only_the_newest_blocks_are_kept() {
    let mut book = book();
    for height in 11..=300 {
        book.extend(block(height - 1, 0), &[block(height, 0)], vec![], book.generation);
    }
    assert_eq!((book.blocks.len(), book.bottom()), (KEPT_BLOCKS, Some(Height(201))));
    assert_eq!(book.hash_at(Height(200)), None);
    assert_eq!(book.hash_at(Height(300)), Some(block(300, 0).hash));
}

#[test]
fn a_spend_of_the_openings_change_is_not_a_spend_of_the_swap() {
    use crate::chain::watch::matches::is_spent;
    let (watch, opening) = (watch(), Tx(OPENING, vec![output(7, 0)]));
    let index = Index::of([&watch]);
    let mut hits = index.hits(block(1, 0), &[opening]);
    hits.extend(index.hits(block(2, 0), &[Tx(RIVAL, vec![output(OPENING, 1)])]));
    assert!(!is_spent(&hits, watch.swap));
    hits.extend(index.hits(block(3, 0), &[Tx(CLAIM, vec![output(OPENING, 0)])]));
    assert!(is_spent(&hits, watch.swap));
}

#[test]
fn what_one_lookup_has_seen_in_the_mempool_is_not_forgotten_for_another_that_read_blocks() {
    let read_blocks = Answer {
        swap: watch().swap,
        as_of: block(10, 0).hash,
        hits: vec![],
        mempool: None,
    };
    let looked = || Answer {
        mempool: Some(opening().raw()),
        ..read_blocks.clone()
    };
    for answers in [[read_blocks.clone(), looked()], [looked(), read_blocks.clone()]] {
        let mut book = Book::default();
        book.restart(block(10, 0));
        book.register(&watch(), block(10, 0));
        for answer in answers {
            assert!(book.resolve(&watch(), answer));
        }
        assert!(book.in_mempool(watch().swap));
    }
}
