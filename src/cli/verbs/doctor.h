// SPDX-License-Identifier: Apache-2.0
/* cli/verbs/doctor.h -- what the files of the verb doctor share. */
#ifndef MEMO_CLI_DOCTOR_H
#define MEMO_CLI_DOCTOR_H

#include "cli/app.h"

void cli_doctor_put_finding(cli_out *out, const memo_finding *finding);

memo_status cli_doctor_repair(cli_app *app, memo_err *err);
memo_status cli_doctor_prove(cli_app *app, memo_err *err); /* verb_forget.c */
memo_status cli_doctor_quarantine(cli_app *app, memo_err *err);

#endif
