/* events.h - the numbers of audit events, from events.def. */
#ifndef SP_IPC_EVENTS_H
#define SP_IPC_EVENTS_H

enum event {
#define EVENT(NAME, number, name, severity, text) EV_##NAME = (number),
#include "ipc/events.def"
#undef EVENT
};
#endif
