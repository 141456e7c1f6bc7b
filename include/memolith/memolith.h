// SPDX-License-Identifier: Apache-2.0
/* memolith/memolith.h -- everything memolith offers to a C program.
 *
 *   status.h   status codes, errors, allocator, context
 *   model.h    compile an embedding model, turn text into vectors
 *   memory.h   keep text and vectors in one file and find them again; its chapters search.h,
 *              facts.h, links.h, feedback.h, spaces.h, transfer.h, history.h and upkeep.h come with it
 */
#ifndef MEMOLITH_MEMOLITH_H
#define MEMOLITH_MEMOLITH_H

#include <memolith/memory.h>
#include <memolith/model.h>
#include <memolith/status.h>

#endif
