//! Bad input and faults, against real `sluiced` processes on the embedded world.

mod books;
mod crash;
mod damage;
mod fees;
mod fixture;
mod golike;
mod input;
mod messages;
mod moments;
mod orders;
mod outage;
mod payment;
mod proxy;
mod proxy_orders;
mod proxy_real;
mod proxy_start;
mod proxy_tips;
mod reorg;
mod rescue;
mod rescue_folders;
mod secrets;
mod switch;
mod taken_back;
mod upgrade;
mod versions;
