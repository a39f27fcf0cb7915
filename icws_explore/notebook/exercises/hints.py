"""The hints of every exercise, in steps. A hint says where to look or what to try next. None is the answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

HINTS: Final[Mapping[str, Mapping[int, tuple[str, ...]]]] = {
    "01": {
        1: (
            "an application message can only pass when the canister knows the client",
            "look for three kinds of frames, one from each party",
        ),
        2: (
            "acks and keep-alives have numbers, too, and each direction counts for itself",
            "select the rows of one direction, and take the last number of the column sequence_num",
        ),
        3: (
            "every row of the table has a kind: which two kinds are the applications' own words?",
            "a filter may use `in` with a list: kind in ['…', '…']",
        ),
        4: (
            "the root key does not sign the message: follow the steps from the top, and ask for each which key it uses",
            "the lab's subnet has a key of its own, which the root key vouches for",
        ),
        5: (
            "await session.send(…) sends a value, await session.receive(timeout=10) returns the next one",
            "this canister's messages are records with one field: {'text': …}",
        ),
    },
    "02": {
        1: (
            "the value of a text field is hashed as its UTF-8 bytes",
            "sha256(…).digest() gives bytes; the method's name is in the card",
        ),
        2: (
            "a signature must not be valid for anything but a request, so something comes before the request id",
            "the separator is one length byte and the text ic-request",
        ),
        3: (
            "for each field, join the hash of its name and the hash of its value",
            "sort these pairs as bytes, join them, and hash the result",
            "str.encode() turns a text into bytes: h = lambda value: sha256(value.encode() if …).digest()",
        ),
        4: (
            "what does the request id not depend on?",
            "cbor.loads gives a dictionary; its fields have an order, which dict(reversed(…)) changes",
            "encode again with cbor.dumps(frame, tagged=True)",
        ),
        5: (
            "both values are times since the epoch, one in seconds and one in nanoseconds",
            "divide the nanoseconds by 1e9, and subtract",
        ),
        6: (
            "the steps are checked in their order: which one is the first that looks at the sender?",
            "the principal of a user is derived from the user's public key, which is also in the envelope",
        ),
    },
    "03": {
        1: (
            "hash the leaf first, then the label with the leaf's hash",
            "the separator of a label is b'\\x13ic-hashtree-labeled'",
        ),
        2: (
            "write a function that calls itself for the trees below a node",
            "match tree: case hashtree.Leaf(): …; a pruned node is already a hash: tree.digest",
            "a leaf has .value, a label .label and .tree, a fork .left and .right",
        ),
        3: (
            "a path is a tuple of labels, as bytes",
            "look at the cell that made the lemon's witness",
        ),
        4: (
            "labels are in ascending order: between which two would cherry be?",
            "what does the witness show between these two: a label, or a hash?",
        ),
        5: (
            "to prove an absence, two labels must be visible that are neighbours, with nothing between them",
            "keep the labels, and replace each tree below a label by hashtree.Pruned(tree.digest)",
            "the parts are tree.left.tree (what is below fruit) and its .left and .right",
        ),
        6: (
            "the root hash is unchanged, so every step before the one that reads the witness passes",
            "which step looks for the message's key in the witness?",
        ),
    },
    "04": {
        1: (
            "which of the three trees contains the content, and in what form?",
            "the leaf of the witness is a hash of the content: which step compares the two?",
        ),
        2: (
            "each part is genuine on its own, so the steps that check one part pass",
            "which step compares the witness with the certificate?",
        ),
        3: (
            "compare from the top: the root hash of the tree with certified_data, then the look-up, then the hash",
            "hashtree.lookup_value(tree, (b'websocket', key.encode())) is None if the witness does not show it",
        ),
        4: (
            "nothing in the bytes has changed: what does the client compare with its own clock?",
            "look at the four steps of a certificate in their order",
        ),
        5: (
            "bytes compare in the order of the alphabet: low <= canister <= high",
            "any(…) over the ranges; the ends belong to a range",
        ),
        6: (
            "the card shows the ranges of the subnet: any canister between the two ends will do",
            "compare the bytes of the two ends: in which places do they differ?",
            "turn the first end into bytes, put a small number into one of these places, and make a Principal of it",
        ),
    },
    "05": {
        1: (
            "an ack names the last message that has arrived; the numbers have no gaps",
            "messages that the client sent after the canister made the ack are not covered",
        ),
        2: (
            "look only at the rows of one direction, and at the column sequence_num",
            "the gateway dropped frames: where do the numbers jump?",
        ),
        3: (
            "the first number that a client accepts is 1",
            "count while each number is the one that you expect, and stop at the first that is not",
        ),
        4: (
            "is a number missing, or is one there twice?",
            "the client sees the same number again: which of the four words describes this?",
        ),
        5: (
            "a message tells its own number: CanisterMessage.decode(data).message.sequence_num",
            "keep what comes too early in a dictionary, and release it when its turn comes",
            "make() is called once for a session: keep the state in it, and return the function relay",
        ),
    },
    "06": {
        1: (
            "the client's timer starts with its first message, not when the session opens",
            "add the client's own interval and the latency bound of 30 s",
        ),
        2: (
            "one timer: the first message starts it, and every ack starts it again",
            "the last of the two kinds of times counts: max(…)",
            "a client that sends nothing never waits",
        ),
        3: (
            "the canister writes its own time into each ack",
            "the difference of two times in the column made_s does not depend on the gateway",
        ),
        4: (
            "the canister waits 60 s from its ack; look at the column margin_s",
            "the slowest keep-alive is the one with the least margin",
        ),
        5: (
            "the client's timer restarts at every ack, and the canister's window begins at every ack",
            "so the first ack may be late, but not too late; the second one must be later than a minute",
            "find the number of each ack in the table, and use two different delays",
        ),
        6: (
            "a message cannot arrive before it was certified: what does the smallest age say?",
            "is the client's clock ahead, or the network's? A clock that is ahead makes certificates look older",
        ),
        7: (
            "for each session ask: does the client send anything, and do acks arrive?",
            "the client waits for its interval and 30 s from the last ack; the canister for 60 s from its own ack",
            "the canister's acks come at multiples of 300 s after its installation",
        ),
    },
    "07": {
        1: (
            "certificate and witness are both genuine: which step compares them with each other?",
            "the steps before it look only at the certificate",
        ),
        2: (
            "acks are numbered like all messages: what does the client see when the next one arrives?",
            "the SDK's reason for an error in a message is the same for every cause",
        ),
        3: (
            "after a missing number, no further message may arrive",
            "relay the first message, and nothing after it",
        ),
        4: (
            "whose clock is over first: the client's 330 s, or the canister's 60 s after its own ack?",
            "look for a CloseMessage before the close",
        ),
        5: (
            "the client checks the age of a certificate (300 s), the canister the time of the keep-alive (60 s)",
            "hold messages back, and release them all at once, in their order, when an ack arrives",
            "make(): keep a list in it; is_ack(data) tells an ack. Before an ack, the oldest may be 300 s old",
        ),
        6: (
            "no number is missing and every message verifies, so it is not a fault of the gateway",
            "compare what the client is configured with and what the canister does",
        ),
    },
    "08": {
        1: (
            "look at the last frames: which party said that it ends the session?",
            "a CloseMessage is the canister's, a close with 4000 and no CloseMessage is the client's",
        ),
        2: (
            "the message that ends the session is not the one that was lost",
            "which message of the client was never answered, although the canister answers every order?",
        ),
        3: (
            "for each session, remember the last message and its time",
            "decoded.kind == 'message', decoded.frame.session, decoded.frame.t and decoded.value are what you need",
            "compare with the message right before it, not with all earlier ones",
        ),
        4: (
            "both sides must use the same interval",
            "the values are in milliseconds",
        ),
        5: (
            "the SDK reads the type of the second argument of ws_message, and it must be an option",
            "put opt before it",
        ),
    },
    "09": {
        1: (
            "compare the arguments of ws_open: which client does not tell the canister its gateway?",
            "which client closed right after an OpenMessage that verifies?",
        ),
        2: (
            "before 0.3.2 the time-out did not follow the interval: it was 90 s, then 450 s",
            "compare versions as numbers: [int(part) for part in version.split('.')]",
            "from 0.3.2 on it is the interval and 30 s",
        ),
        3: (
            "send one text, and wait for its answer, before you send the next",
            "when a session ends (SessionClosedError) or cannot open (ConnectError), try the next gateway",
            "the text whose answer did not arrive must be sent again",
        ),
        4: (
            "AESGCM(key).encrypt(nonce, data, associated) authenticates `associated` without encrypting it",
            "a fresh nonce for every message: os.urandom(12), sent in front of the data",
            "sender and number belong into `associated`: f'{sender} {number}'.encode()",
        ),
    },
    "10": {
        1: (
            "the client sends two of them; the gateway needs the others, and the client never signs for it",
            "who asks for messages, and who tells the canister that a socket has gone?",
        ),
        2: (
            "keep the votes in a dictionary, inside of the function that makes the App",
            "context.broadcast tells all clients; a message that is no vote should simply do nothing",
            "a trap would undo the count of messages: the client's next message would have the wrong number",
        ),
        3: (
            "remember when each client was last heard: on_open and on_message both count",
            "context.every(milliseconds, callback) in on_init calls your function again and again",
            "context.clients are all clients, context.now_ns is the time in nanoseconds, context.close(client) closes",
        ),
        4: (
            "an upgrade loses what the CDK knew: does the canister still have this client?",
            "the client is not told: what does it wait for, and what is the SDK's reason when it gives up?",
        ),
    },
}
