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
 *   from    of the compiled model that is the source, or NULL: a folder
 *
 * With auto_class a weight that no rule fits keeps what the source has; memo_compile_fit() chooses.
 * MEMO_ERR_USAGE: a rule that is malformed or fits no weight. */
memo_status memo_choose_formats(memo_layout *layout, const memo_compile_options *options,
                                const memo_layout *from, memo_err *err);

/* memo_choose_check_use() -- refuse an option that changes nothing: it was a mistake.
 *
 *   layout, from  after memo_choose_formats()
 *
 * Holds for a whole job, never for the temporary models that it makes: each of them has a use for a
 * part of the options only. MEMO_ERR_USAGE, by name; also static activations without texts. */
memo_status memo_choose_check_use(const memo_layout *layout, const memo_compile_options *options,
                                  const memo_layout *from, memo_err *err);

/* Whether a rule fixes this weight. */
int memo_choose_is_set(const memo_compile_options *options, const char *name);

/* Whether the codes of both formats are the same, so that a weight is copied and never rounded again:
 * class and grain. Activations do not touch them. */
int memo_choose_keeps(const memo_weight_format *from, const memo_weight_format *to);

/* Whether a weight stored as `from` may be stored as `to`: kept, or from a class that is more exact.
 * The same class with another grain would be a second loss. */
int memo_choose_may_follow(const memo_weight_format *from, const memo_weight_format *to);

#endif
