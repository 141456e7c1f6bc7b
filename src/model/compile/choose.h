// SPDX-License-Identifier: Apache-2.0
/* model/compile/choose.h -- from the options of a compile to the format of every weight. */
#ifndef MEMO_MODEL_CHOOSE_H
#define MEMO_MODEL_CHOOSE_H

#include "model/layout.h"

/* Refuse, by name, an option outside its list. */
memo_status memo_choose_check(const memo_compile_options *options, memo_err *err);

/* What a class means when nothing is said about grain and activations: formats [MEMO_CLASSES]. */
void memo_choose_defaults(const memo_compile_options *options, memo_weight_format *formats);

/* memo_choose_formats() -- the class of the options for all weights, then the rules, one by one.
 *
 *   layout  initialized, not yet stored
 *
 * MEMO_ERR_USAGE: a rule that is malformed or fits no weight, or an option that no weight has a use
 * for. With auto_class the rules still hold, and the rest is what memo_compile_auto() left. */
memo_status memo_choose_formats(memo_layout *layout, const memo_compile_options *options,
                                memo_err *err);

/* Whether a rule fixes this weight. */
int memo_choose_is_set(const memo_compile_options *options, const char *name);

/* Whether a weight stored as `from` may be stored as `to`: from what is more exact, or the same. */
int memo_choose_may_follow(memo_class from, memo_class to);

#endif
