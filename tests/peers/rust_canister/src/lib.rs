//! Ping-pong on the published CDK: the same application as the lab's `pingpong`, in a real canister.
//!
//! `init` takes the CDK's ack interval and the size of a poll. Texts of messages make it do more, so that
//! the tests can bring it into each situation: see `on_message`.

use std::cell::RefCell;

use candid::{decode_one, encode_one, CandidType, Principal};
use ic_websocket_cdk::{
    CanisterWsCloseArguments, CanisterWsCloseResult, CanisterWsGetMessagesArguments, CanisterWsGetMessagesResult,
    CanisterWsMessageArguments, CanisterWsMessageResult, CanisterWsOpenArguments, CanisterWsOpenResult,
    OnCloseCallbackArgs, OnMessageCallbackArgs, OnOpenCallbackArgs, WsHandlers, WsInitParams,
};
use serde::Deserialize;

#[derive(CandidType, Clone, Debug, Deserialize)]
struct AppMessage {
    text: String,
    timestamp: u64,
}

#[derive(CandidType, Clone, Deserialize)]
struct InitArgs {
    send_ack_interval_ms: u64,
    max_messages: u64,
}

thread_local! {
    static COUNT: RefCell<u64> = const { RefCell::new(0) };
}

fn ping(client: Principal) {
    let message = AppMessage { text: "ping".to_string(), timestamp: ic_cdk::api::time() };
    let _ = ic_websocket_cdk::send(client, encode_one(message).unwrap());
}

fn on_open(args: OnOpenCallbackArgs) {
    ping(args.client_principal);
}

fn on_message(args: OnMessageCallbackArgs) {
    let message: AppMessage = decode_one(&args.message).unwrap();
    COUNT.with(|count| *count.borrow_mut() += 1);
    let client = args.client_principal;
    match message.text.as_str() {
        "trap" => ic_cdk::trap("asked to trap"),
        "close" => {
            let _ = ic_websocket_cdk::close(client);
        }
        "three" => {
            ping(client);
            ping(client);
            ping(client);
        }
        "quiet" => {}
        _ => {
            ic_cdk::println!("Received message: {}", message.text);
            ping(client);
        }
    }
}

fn on_close(args: OnCloseCallbackArgs) {
    ic_cdk::println!("Client {} disconnected", args.client_principal);
}

fn start(args: InitArgs) {
    let handlers = WsHandlers { on_open: Some(on_open), on_message: Some(on_message), on_close: Some(on_close) };
    let params = WsInitParams::new(handlers)
        .with_send_ack_interval_ms(args.send_ack_interval_ms)
        .with_max_number_of_returned_messages(args.max_messages as usize);
    ic_websocket_cdk::init(params);
}

#[ic_cdk::init]
fn init(args: InitArgs) {
    start(args);
}

#[ic_cdk::pre_upgrade]
fn pre_upgrade() {
    let count = COUNT.with(|count| *count.borrow());
    ic_cdk::storage::stable_save((count,)).unwrap();
}

#[ic_cdk::post_upgrade]
fn post_upgrade(args: InitArgs) {
    let (count,): (u64,) = ic_cdk::storage::stable_restore().unwrap();
    COUNT.with(|kept| *kept.borrow_mut() = count);
    start(args);
}

#[ic_cdk::update]
fn ws_open(args: CanisterWsOpenArguments) -> CanisterWsOpenResult {
    ic_websocket_cdk::ws_open(args)
}

#[ic_cdk::update]
fn ws_close(args: CanisterWsCloseArguments) -> CanisterWsCloseResult {
    ic_websocket_cdk::ws_close(args)
}

#[ic_cdk::update]
fn ws_message(args: CanisterWsMessageArguments, msg_type: Option<AppMessage>) -> CanisterWsMessageResult {
    ic_websocket_cdk::ws_message(args, msg_type)
}

#[ic_cdk::query]
fn ws_get_messages(args: CanisterWsGetMessagesArguments) -> CanisterWsGetMessagesResult {
    ic_websocket_cdk::ws_get_messages(args)
}

/// How many messages it has received: kept in stable memory over an upgrade.
#[ic_cdk::query]
fn received() -> u64 {
    COUNT.with(|count| *count.borrow())
}

/// 32 bytes from the management canister: a call and its answer.
#[ic_cdk::update]
async fn randomness() -> Vec<u8> {
    ic_cdk::management_canister::raw_rand().await.unwrap()
}

ic_cdk::export_candid!();
