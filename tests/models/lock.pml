/* SPDX-License-Identifier: MIT */
/*
 * lock.pml - the ticket lock of guest-agent/shared/lock.c, one shared access a step, with members that are restarted,
 * stopped, and put back to any earlier point of their own execution. For spin.
 *
 * What a member has in registers is one structure, so a snapshot is a copy of it and a restore copies it back.
 * Checked: each store into the protected data continues from the last one (nothing is added twice, lost, or written
 * by a life that is over), and nobody living waits for ever.
 *
 * -DNO_TRAVEL: only restarts and stops. -DTIMEOUTS=n: so many waits end by their deadline, and leave a ticket that is nobody's.
 * Broken on purpose, and must be found: -DPLAIN_STORE (data stored without a look at the epoch), -DBLIND_PASS (a dead
 * ticket is passed without comparing), -DNO_TAKEOVER (the dead are waited for), -DDEAF_TIMEOUT (who gives up does not look
 * whether its turn has come meanwhile, and nobody else passes a ticket that is nobody's).
 */
#ifndef MEMBERS
#define MEMBERS 3
#endif
#ifndef EVENTS
#define EVENTS 2
#endif
#ifndef TIMEOUTS
#define TIMEOUTS 0
#endif
#define QUEUE 4
#define NOBODY 15 /* the member of a ticket that was given up */

#define RUNS 1
#define STOPPED 0

byte serving, died, next; /* serving and died are one word: always compared and changed together */
byte slot_ticket[QUEUE], slot_member[QUEUE], slot_epoch[QUEUE]; /* so are these; ticket + 1, 0: never used */
byte epoch_of[MEMBERS];
bool runs[MEMBERS];
byte data, total;
bool events_over, saved_once;
byte timeouts = TIMEOUTS;

typedef registers {
	byte pc, epoch, ticket, head, head_died, seen_next, at, word_ticket, word_member, word_epoch, value
};
registers r[MEMBERS];
registers saved;
byte saved_member;

mtype = { START, NEXT, SLOT, HELP, DRAW, MOVE, WAIT, LOOK, PASS, SKIP, IDLE, GIVE_UP, GAVE_UP, SKIP_OWN, READ, STORE, LEAVE, GIVE, DONE };

#define R r[i]
#define DEAD(m, e) ((m) == NOBODY || !runs[m] || epoch_of[m] != (e))

inline copy(to, from)
{
	to.pc = from.pc; to.epoch = from.epoch; to.ticket = from.ticket; to.head = from.head; to.head_died = from.head_died;
	to.seen_next = from.seen_next; to.at = from.at; to.word_ticket = from.word_ticket;
	to.word_member = from.word_member; to.word_epoch = from.word_epoch; to.value = from.value
}

inline load_slot(t)
{
	R.word_ticket = slot_ticket[(t) % QUEUE];
	R.word_member = slot_member[(t) % QUEUE];
	R.word_epoch = slot_epoch[(t) % QUEUE]
}

/* Dead values are cleared, so that states that differ in nothing else are one. */
inline forget()
{
	R.head = 0; R.head_died = 0; R.seen_next = 0; R.at = 0; R.word_ticket = 0; R.word_member = 0; R.word_epoch = 0; R.value = 0
}

inline again()
{
	forget(); R.epoch = 0; R.pc = START
}

inline done()
{
	forget(); R.epoch = 0; R.ticket = 0; R.pc = DONE
}

proctype member(byte i)
{
	do
	/* The own epoch is read with what is read next: a restore between the two is one before, or one behind. */
	:: atomic { runs[i] && R.pc == START ->
		R.ticket = 0;
		R.epoch = epoch_of[i];
		R.head = serving;
		R.pc = NEXT }
	:: atomic { runs[i] && R.pc == NEXT ->
		R.seen_next = next;
		R.at = (next > R.head -> next : R.head);
		if
		:: R.at - R.head >= QUEUE -> again()
		:: else -> R.pc = SLOT
		fi }
	:: atomic { runs[i] && R.pc == SLOT ->
		load_slot(R.at);
		if
		:: R.word_ticket == R.at + 1 -> R.pc = HELP
		:: R.word_ticket != R.at + 1 && R.word_ticket != (R.at < QUEUE -> 0 : R.at + 1 - QUEUE) -> again()
		:: else -> R.pc = DRAW
		fi }
	:: atomic { runs[i] && R.pc == HELP ->
		if :: next == R.seen_next -> next = R.at + 1 :: else fi;
		again() }
	:: atomic { runs[i] && R.pc == DRAW ->
		if
		:: slot_ticket[R.at % QUEUE] == R.word_ticket && slot_member[R.at % QUEUE] == R.word_member &&
		   slot_epoch[R.at % QUEUE] == R.word_epoch ->
			slot_ticket[R.at % QUEUE] = R.at + 1;
			slot_member[R.at % QUEUE] = i;
			slot_epoch[R.at % QUEUE] = R.epoch;
			R.ticket = R.at;
			R.pc = MOVE
		:: else -> again()
		fi }
	:: atomic { runs[i] && R.pc == MOVE ->
		if :: next == R.seen_next -> next = R.at + 1 :: else fi;
		forget(); R.pc = WAIT }
	:: atomic { runs[i] && R.pc == WAIT ->
		R.head = serving;
		R.head_died = died;
		if
		:: epoch_of[i] != R.epoch || R.head > R.ticket -> forget(); R.pc = START
		:: epoch_of[i] == R.epoch && R.head == R.ticket -> forget(); R.pc = READ
		:: else -> R.pc = LOOK
		fi }
	/* Whose ticket it is and whether that life is over: once over it stays so, so nothing can change between. */
	:: atomic { runs[i] && R.pc == LOOK ->
		load_slot(R.head);
		if
		:: R.word_ticket != R.head + 1 -> forget(); R.pc = WAIT
#ifndef NO_TAKEOVER
#ifndef DEAF_TIMEOUT
		:: R.word_ticket == R.head + 1 && R.word_member == NOBODY -> R.pc = SKIP
#else
		:: R.word_ticket == R.head + 1 && R.word_member == NOBODY -> R.pc = IDLE
#endif
		:: R.word_ticket == R.head + 1 && R.word_member != NOBODY && (R.word_member == i || DEAD(R.word_member, R.word_epoch)) ->
			R.pc = PASS
		:: R.word_ticket == R.head + 1 && R.word_member != NOBODY && R.word_member != i && !DEAD(R.word_member, R.word_epoch) ->
			R.pc = IDLE
#else
		:: else -> R.pc = IDLE
#endif
		fi }
	:: atomic { runs[i] && R.pc == PASS ->
#ifdef BLIND_PASS
		serving = R.head + 1; died = 1;
#else
		if
		:: serving == R.head && died == R.head_died -> serving = R.head + 1; died = 1
		:: else
		fi;
#endif
		forget(); R.pc = WAIT }
	/* Nothing was changed under it: what the flag says of the one before it stays. */
	:: atomic { runs[i] && (R.pc == SKIP || R.pc == SKIP_OWN) ->
		if
		:: serving == R.head && died == R.head_died -> serving = R.head + 1
		:: else
		fi;
		if
		:: R.pc == SKIP -> forget(); R.pc = WAIT
		:: else -> done()
		fi }
	/* Its deadline has come, at any time: the ticket is made nobody's, if it is still its own. */
	:: atomic { runs[i] && R.pc == IDLE && timeouts > 0 -> timeouts--; forget(); R.pc = GIVE_UP }
	:: atomic { runs[i] && R.pc == GIVE_UP ->
		if
		:: slot_ticket[R.ticket % QUEUE] == R.ticket + 1 && slot_member[R.ticket % QUEUE] == i &&
		   slot_epoch[R.ticket % QUEUE] == R.epoch ->
			slot_member[R.ticket % QUEUE] = NOBODY;
			slot_epoch[R.ticket % QUEUE] = 0;
			R.pc = GAVE_UP
		:: else -> done()
		fi }
	:: atomic { runs[i] && R.pc == GAVE_UP ->
		R.head = serving;
		R.head_died = died;
		if
#ifndef DEAF_TIMEOUT
		:: R.head == R.ticket -> R.pc = SKIP_OWN
#endif
		:: else -> done()
		fi }
	/* It looks again whenever there may be something to see: that it polls is what this stands for. */
#ifdef NO_TAKEOVER
	:: atomic { runs[i] && R.pc == IDLE && (serving != R.head || epoch_of[i] != R.epoch) -> forget(); R.pc = WAIT }
#else
	:: atomic { runs[i] && R.pc == IDLE && (serving != R.head || epoch_of[i] != R.epoch ||
						DEAD(R.word_member, R.word_epoch)) -> forget(); R.pc = WAIT }
#endif
	:: atomic { runs[i] && R.pc == READ -> R.value = data; R.pc = STORE }
	:: atomic { runs[i] && R.pc == STORE ->
#ifndef PLAIN_STORE
		if
		:: epoch_of[i] != R.epoch -> done()
		:: else ->
#endif
			assert(R.value == total);
			data = R.value + 1;
			total++;
			forget(); R.pc = LEAVE
#ifndef PLAIN_STORE
		fi
#endif
		}
	:: atomic { runs[i] && R.pc == LEAVE ->
		R.head = serving;
		R.head_died = died;
		if
		:: epoch_of[i] != R.epoch || R.head != R.ticket -> done()
		:: else -> R.pc = GIVE
		fi }
	:: atomic { runs[i] && R.pc == GIVE ->
		if
		:: serving == R.head && died == R.head_died -> serving = R.head + 1; died = 0
		:: else
		fi;
		done() }
	:: atomic { events_over && (R.pc == DONE || !runs[i]) -> break }
	od
}

/* The hypervisor and its user. One member is put back in time; any may be restarted or stopped. */
proctype events()
{
	byte count, i;

	do
#ifndef NO_TRAVEL
	:: atomic { !saved_once -> i = 0; saved_once = true; saved_member = i; copy(saved, R) }
	:: atomic { count < EVENTS && saved_once && saved_member == 0 ->
		i = 0; count++; copy(R, saved); epoch_of[i] = epoch_of[i] + 1; runs[i] = RUNS }
#endif
	:: atomic { count < EVENTS ->
		count++;
		select (i : 0 .. MEMBERS - 1);
		if
		:: epoch_of[i] = epoch_of[i] + 1; runs[i] = RUNS; forget(); R.ticket = 0; R.epoch = 0; R.pc = START
		:: runs[i] = STOPPED; done()
		fi;
		i = 0 }
	:: atomic { events_over = true; break }
	od
}

init {
	atomic {
		byte i;

		for (i : 0 .. MEMBERS - 1) {
			runs[i] = RUNS;
			R.pc = START;
			run member(i)
		}
		run events()
	}
}
