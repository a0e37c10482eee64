/* SPDX-License-Identifier: MIT */
/*
 * ring.pml - the ring of guest-agent/shared/ring.c: one producer, one consumer, doorbells, and a producer or a consumer
 * that is put back to any earlier point of its own execution and opens the ring anew. For spin.
 *
 * Weak memory: the producer's stores of data lie in a buffer from which they reach memory at any time, in any order;
 * a store with release waits for all of them, as STLXR does.
 *
 * Message n (from 1) is the number n, in slot (n - 1) % SLOTS. Checked: what is received is the next number, or the
 * next one of the producer's new life; nobody sleeps for ever while there is something for it.
 *
 * -DONLY_PRODUCER, -DONLY_CONSUMER: only that side goes back in time.
 * Broken on purpose, and must be found: -DNO_RELEASE (the index passes the data), -DNO_LIFE_CHECK (the consumer does
 * not look whether the producer's life went on while it copied), -DNO_FENCE (an index is published in an epoch that
 * is over), -DLATE_NAP (announces its nap only after its last look).
 */
#define SLOTS 2
#ifndef MESSAGES
#define MESSAGES 4
#endif
#ifndef EVENTS
#define EVENTS 2
#endif

byte put, base, life = 1, put_epoch = 1;   /* the producer's line; life: the epoch of its opening; its epoch */
byte taken, taken_epoch = 1;		   /* the consumer's line and epoch */
bool nap_producer, nap_consumer, bell_producer, bell_consumer;
byte data[SLOTS];
byte buffered[SLOTS]; /* 0: nothing on its way */

typedef side { byte pc, index, epoch, peer_life, other, value };
side p, c, saved_p, saved_c;
bool have_p, have_c, over;

mtype = { OPEN, OPENED, LOOK, FILL, PUBLISH, BELL, NAP, RELOOK, TIRED, SLEEP, LIVES, MEET, COPY, JUDGE };

inline copy(to, from)
{
	to.pc = from.pc; to.index = from.index; to.epoch = from.epoch; to.peer_life = from.peer_life; to.other = from.other;
	to.value = from.value
}

#define DRAINED (buffered[0] == 0 && buffered[1] == 0)
#ifdef NO_RELEASE
#define RELEASE true
#else
#define RELEASE DRAINED
#endif
#ifdef NO_FENCE
#define MAY_PUBLISH(epoch, now) true
#else
#define MAY_PUBLISH(epoch, now) ((epoch) == (now))
#endif

proctype drain()
{
	do
	:: atomic { buffered[0] != 0 -> data[0] = buffered[0]; buffered[0] = 0 }
	:: atomic { buffered[1] != 0 -> data[1] = buffered[1]; buffered[1] = 0 }
	:: atomic { over && DRAINED && p.index == MESSAGES -> break }
	od
}

proctype producer()
{
	do
	/* A new life: base first, then the life that vouches for it. */
	:: atomic { p.pc == OPEN && DRAINED ->
		p.epoch = put_epoch; p.index = put; base = put; p.other = 0; p.value = 0; p.pc = OPENED }
	:: atomic { p.pc == OPENED ->
		if
		:: p.epoch == put_epoch -> life = p.epoch; p.pc = BELL
		:: else -> p.pc = OPEN
		fi }
	:: atomic { p.pc == LOOK ->
		if
		:: p.epoch != put_epoch -> p.pc = OPEN
		:: p.epoch == put_epoch && p.index < MESSAGES && p.index - taken < SLOTS -> p.pc = FILL
		:: p.epoch == put_epoch && p.index < MESSAGES && p.index - taken >= SLOTS -> p.pc = NAP
		:: p.epoch == put_epoch && p.index >= MESSAGES && over -> break
		fi }
	:: atomic { p.pc == FILL && buffered[p.index % SLOTS] == 0 -> /* a plain store: also in a life that is over */
		buffered[p.index % SLOTS] = p.index + 1; p.pc = PUBLISH }
	:: atomic { p.pc == PUBLISH && RELEASE ->
		if
		:: MAY_PUBLISH(p.epoch, put_epoch) -> put = p.index + 1; p.index = p.index + 1; p.pc = BELL
		:: else -> p.pc = OPEN
		fi }
	:: atomic { p.pc == BELL -> bell_consumer = bell_consumer || nap_consumer; p.pc = LOOK }
	:: atomic { p.pc == NAP -> bell_producer = false; p.pc = RELOOK
#ifndef LATE_NAP
		; nap_producer = true
#endif
		}
	:: atomic { p.pc == RELOOK ->
		if
		:: p.index - taken < SLOTS || p.epoch != put_epoch -> nap_producer = false; p.pc = LOOK
#ifdef LATE_NAP
		:: else -> p.pc = TIRED
		fi }
	:: atomic { p.pc == TIRED -> nap_producer = true; p.pc = SLEEP }
#else
		:: else -> p.pc = SLEEP
		fi }
#endif
	:: atomic { p.pc == SLEEP && (bell_producer || p.epoch != put_epoch) -> nap_producer = false; p.pc = LOOK }
	od
}

proctype consumer()
{
	do
	:: atomic { c.pc == OPEN -> c.epoch = taken_epoch; c.index = taken; c.peer_life = 0; c.other = 0; c.value = 0; c.pc = BELL }
	:: atomic { c.pc == LIVES ->
		if
		:: c.epoch != taken_epoch -> c.pc = OPEN
		:: c.epoch == taken_epoch && taken == MESSAGES && over -> break
		:: c.epoch == taken_epoch && taken < MESSAGES ->
			c.other = life;
			c.pc = (c.other == c.peer_life -> LOOK : MEET)
		fi }
	:: atomic { c.pc == MEET -> /* what was sent before the opening is void */
		if
		:: life != c.other -> c.pc = LIVES
		:: life == c.other && c.epoch == taken_epoch ->
			c.peer_life = c.other;
			if
			:: base > c.index -> taken = base; c.index = base; c.pc = BELL
			:: else -> c.pc = LOOK
			fi
		:: else -> c.pc = OPEN
		fi }
	:: atomic { c.pc == LOOK ->
		if
		:: put > c.index -> c.pc = COPY
		:: else -> c.pc = NAP
		fi }
	:: atomic { c.pc == COPY -> c.value = data[c.index % SLOTS]; c.pc = JUDGE }
	:: atomic { c.pc == JUDGE ->
		if
#ifndef NO_LIFE_CHECK
		:: c.peer_life != put_epoch -> c.pc = LIVES
		:: c.peer_life == put_epoch ->
#else
		:: true ->
#endif
			if
			:: MAY_PUBLISH(c.epoch, taken_epoch) ->
				assert(c.value == c.index + 1);
				assert(taken <= c.index);
				taken = c.index + 1; c.index = c.index + 1; c.value = 0;
				c.pc = BELL
			:: else -> c.pc = OPEN
			fi
		fi }
	:: atomic { c.pc == BELL -> bell_producer = bell_producer || nap_producer; c.pc = LIVES }
	:: atomic { c.pc == NAP -> bell_consumer = false; c.pc = RELOOK
#ifndef LATE_NAP
		; nap_consumer = true
#endif
		}
	:: atomic { c.pc == RELOOK ->
		if
		:: put > c.index || life != c.peer_life || c.epoch != taken_epoch -> nap_consumer = false; c.pc = LIVES
#ifdef LATE_NAP
		:: else -> c.pc = TIRED
		fi }
	:: atomic { c.pc == TIRED -> nap_consumer = true; c.pc = SLEEP }
#else
		:: else -> c.pc = SLEEP
		fi }
#endif
	/* The poll that sees a peer's new life is modelled, the one that would hide a lost bell is not. */
	:: atomic { c.pc == SLEEP && (bell_consumer || c.epoch != taken_epoch || life != c.peer_life || (over && taken == MESSAGES)) ->
		nap_consumer = false; c.pc = LIVES }
	od
}

/* Snapshots at any point, restores at any later one. A store buffer is empty by then: an exception was taken. */
proctype events()
{
	byte count;

	do
#ifndef ONLY_CONSUMER
	:: atomic { !have_p && count < EVENTS && DRAINED -> have_p = true; copy(saved_p, p) }
	:: atomic { have_p && count < EVENTS && DRAINED -> count++; copy(p, saved_p); put_epoch++ }
#endif
#ifndef ONLY_PRODUCER
	:: atomic { !have_c && count < EVENTS -> have_c = true; copy(saved_c, c) }
	:: atomic { have_c && count < EVENTS -> count++; copy(c, saved_c); taken_epoch++ }
#endif
	:: atomic { over = true; break }
	od
}

init {
	atomic {
		p.pc = OPEN;
		c.pc = OPEN;
		run drain();
		run producer();
		run consumer();
		run events()
	}
}
