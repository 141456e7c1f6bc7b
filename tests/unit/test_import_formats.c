// SPDX-License-Identifier: Apache-2.0
/* CSV and mail as files to import; prune and dry runs. */
#include "import_util.h"

#include <time.h>

#include "memory/ingest/mail.h"
#include "memory/ingest/mime.h"

/* ---- CSV ----------------------------------------------------------------------------------- */

static void test_import_csv_takes_fields(void **state)
{
    db_env *e = *state;
    formats_env f;
    memo_records *r;
    formats_folder(e);
    formats_put("x.csv", "\xef\xbb\xbfid,text,title,tags,metadata.n,metadata.who,created,other\r\n"
                         "a,\"the \"\"red\"\" pot,\r\nbroken\",Pot,\"x, y\",7,007,2025-01-02,z\r\n"
                         "\r\n"
                         "b,tea,,,true,,,\r\n"
                         "c,the boat,,one;two,-1.5,Anna,1750000000123,");
    assert_memo_ok(formats_import(e, "x.csv", (memo_import_options){0}, &f), e->err);
    formats_expect(&f, 3, 0, 0, 0, 0);
    r = formats_get(e, "a");
    assert_string_equal(r->records->text.bytes, "the \"red\" pot,\r\nbroken");
    assert_string_equal(r->records->title, "Pot");
    assert_int_equal(r->records->n_tags, 2);
    assert_string_equal(r->records->tags[1], "y");
    assert_string_equal(r->records->metadata_json, "{\"n\":7,\"other\":\"z\",\"who\":\"007\"}");
    assert_int_equal(r->records->created_ms, INT64_C(1735776000000));
    memo_records_free(r);
    r = formats_get(e, "b");
    assert_string_equal(r->records->metadata_json, "{\"n\":true}");
    assert_string_equal(r->records->title, "");
    memo_records_free(r);
    r = formats_get(e, "c");
    assert_int_equal(r->records->created_ms, INT64_C(1750000000123));
    assert_string_equal(r->records->tags[0], "one");
    memo_records_free(r);
    assert_memo_ok(formats_import(e, "x.csv", (memo_import_options){0}, &f), e->err);
    formats_expect(&f, 0, 0, 3, 0, 0);
}

static void test_import_csv_other_columns_are_metadata(void **state)
{
    static const char table[] = "id,text,url,kind,,metadata,metadata.n\n"
                                "a,tea,http://x,lost,row,\"{\"\"kind\"\":\"\"won\"\"}\",3\n";
    db_env *e = *state;
    formats_env f;
    memo_records *r;
    formats_folder(e);
    formats_put("x.csv", table);
    assert_memo_ok(formats_import(e, "x.csv", (memo_import_options){0}, &f), e->err);
    formats_expect(&f, 1, 0, 0, 0, 0);
    r = formats_get(e, "a");
    assert_string_equal(r->records->metadata_json,
                        "{\"kind\":\"won\",\"n\":3,\"url\":\"http://x\"}");
    memo_records_free(r);
    assert_memo_ok(formats_import(e, "x.csv", (memo_import_options){0}, &f), e->err);
    formats_expect(&f, 0, 0, 1, 0, 0);
    formats_put("y.csv", "id,text,url,metadata,metadata.n\nb,tea,u,,1\nc,tea,u,words,1\n");
    assert_memo_ok(
        formats_import(e, "y.csv", (memo_import_options){.no_extra = 1, .skip_bad = 1}, &f),
        e->err);
    assert_string_equal(f.bad, "y.csv:3 VALUE");
    r = formats_get(e, "b");
    assert_string_equal(r->records->metadata_json, "{\"n\":1}");
    memo_records_free(r);
}

static void test_import_csv_separators_and_names(void **state)
{
    db_env *e = *state;
    formats_env f;
    memo_records *r;
    formats_folder(e);
    formats_put("table.dat", "\"body, of it\";k\nfirst, second;1\nthird;2\n");
    assert_memo_ok(formats_import(e, "table.dat",
                                  (memo_import_options){.format = MEMO_IMPORT_CSV,
                                                        .text_field = "body, of it",
                                                        .key_field = "k"},
                                  &f),
                   e->err);
    formats_expect(&f, 2, 0, 0, 0, 0);
    r = formats_get(e, "1");
    assert_string_equal(r->records->text.bytes, "first, second");
    memo_records_free(r);
    /* a table of something else, met in a folder, is a text as before */
    memset(&f, 0, sizeof f);
    formats_folder(e);
    formats_put("prices.csv", "what,price\ntea,3\n");
    assert_memo_ok(formats_import(e, "", (memo_import_options){0}, &f), e->err);
    formats_expect(&f, 1, 0, 0, 0, 0);
    assert_memo_status(formats_import(e, "prices.csv", (memo_import_options){0}, &f),
                       MEMO_ERR_FORMAT, e->err);
    assert_contains(e->err.message, "prices.csv:1: the header names no field \"text\"");
}

/* One bad file; what its lines are, by number. */
static void formats_bad(db_env *e, const char *text, const char *bad, int n_new)
{
    formats_env f;
    formats_folder(e);
    formats_put("x.csv", text);
    assert_memo_ok(formats_import(e, "x.csv", (memo_import_options){.skip_bad = 1}, &f), e->err);
    assert_string_equal(f.bad, bad);
    assert_int_equal(f.report.n_new, n_new);
}

static void test_limits_197_csv(void **state)
{
    db_env *e = *state;
    formats_env f;
    formats_bad(e, "id,text\na,\"open\nand on\n", "x.csv:2 FORMAT", 0);
    formats_bad(e, "id,text\na,b,c\nd\ne,fine\n", "x.csv:2 FORMAT x.csv:3 FORMAT", 1);
    formats_bad(e, "id,text,id\na,b,c\n", "x.csv:1 FORMAT", 0);
    formats_bad(e, "id,text\na,b\"c\"\nb,\"c\"d\nc,\"e\n\nf\"\nd,g,h\n",
                "x.csv:2 FORMAT x.csv:3 FORMAT x.csv:7 FORMAT", 1);
    formats_bad(e, "id,text\nq,\xff\n", "x.csv:2 FORMAT", 0);
    formats_bad(e, "", "x.csv:1 FORMAT", 0);
    formats_bad(e, "\xef\xbb\xbfid,text\nbom,fine\n", "", 1);
    formats_folder(e);
    formats_put("x.csv", "id,text\nok,fine\nr,a,b\n");
    assert_memo_status(formats_import(e, "x.csv", (memo_import_options){0}, &f), MEMO_ERR_FORMAT,
                       e->err);
    assert_contains(e->err.message, "x.csv:3: the row has 3 fields, the header 2");
    formats_expect(&f, 1, 0, 0, 0, 1);
}

/* ---- mail ---------------------------------------------------------------------------------- */

static const char mail_box[] =
    "From anna@example.org Tue Jul  1 09:30:00 2025\n"
    "From: =?UTF-8?Q?Anna_M=C3=BCller?= <anna@example.org>\n"
    "To: bob@example.org\n"
    "Subject: =?iso-8859-1?q?Gr=FC=DFe?= =?utf-8?b?IGF1cyBS\n b20=?= (2)\n"
    "Date: Tue, 1 Jul 2025 09:30:00 +0200\n"
    "Message-ID: <one@example.org>\n"
    "Content-Type: text/plain; charset=\"utf-8\"\n"
    "Content-Transfer-Encoding: quoted-printable\n"
    "\n"
    "the caf=C3=A9 is =\nclosed\n"
    ">From here on it is quoted\n"
    "\n"
    "From bob@example.org Tue Jul  1 10:00:00 2025\r\n"
    "Message-ID: <two@example.org>\r\n"
    "Content-Type: multipart/alternative; boundary=XY\r\n"
    "\r\n"
    "preamble\r\n"
    "--XY\r\n"
    "Content-Type: text/html\r\n\r\n<p>markup</p>\r\n"
    "--XY\r\n"
    "Content-Type: text/plain; charset=iso-8859-1\r\n"
    "Content-Transfer-Encoding: base64\r\n"
    "\r\n"
    "ZGVyIFNjaGz8\r\nc3NlbA==\r\n"
    "--XY\r\n"
    "Content-Type: text/plain\r\nContent-Disposition: attachment; filename=a\r\n\r\nattached\r\n"
    "--XY--\r\n"
    "epilogue\r\n"
    "\r\n"
    "From c Tue Jul  1 10:00:00 2025\n"
    "Subject: markup alone\n"
    "Content-Type: text/html; charset=windows-1252\n"
    "\n"
    "<html><head><style>p {x}</style><script>if (a<b) c</script></head><body><p>the &amp; key\n"
    "is   <b>here</b><br>and &#8364; &lt;there&gt;<!-- not > this --></p>\x93ok\x94</body>\n"
    "\n"
    "From d Tue Jul  1 10:00:00 2025\n"
    "Message-ID: <four@example.org>\n"
    "Content-Type: text/plain; charset=koi8-r\n"
    "\n"
    "\xd7\xd7\n";

static void test_import_mbox_reads_messages(void **state)
{
    db_env *e = *state;
    formats_env f;
    memo_records *r;
    memo_list_options list = {.size = sizeof list};
    formats_folder(e);
    formats_put("x.mbox", mail_box);
    assert_memo_ok(formats_import(e, "x.mbox", (memo_import_options){.skip_bad = 1}, &f), e->err);
    formats_expect(&f, 3, 0, 0, 0, 1);
    assert_string_equal(f.bad, "x.mbox:45 UNSUPPORTED");
    r = formats_get(e, "one@example.org");
    assert_string_equal(r->records->title, "Gr\xc3\xbc\xc3\x9f"
                                           "e aus Rom (2)");
    assert_string_equal(r->records->text.bytes,
                        "the caf\xc3\xa9 is closed\nFrom here on it is quoted\n\n");
    assert_string_equal(r->records->metadata_json,
                        "{\"from\":\"Anna M\xc3\xbcller <anna@example.org>\","
                        "\"to\":\"bob@example.org\"}");
    assert_int_equal(r->records->created_ms, INT64_C(1751355000000));
    memo_records_free(r);
    r = formats_get(e, "two@example.org");
    assert_string_equal(r->records->text.bytes, "der Schl\xc3\xbcssel");
    memo_records_free(r);
    list.where = "title = 'markup alone'";
    assert_memo_ok(memo_db_list(e->db, &list, &r, &e->err), e->err);
    assert_int_equal(r->n, 1);
    assert_string_equal(r->records[0].text.bytes,
                        "the & key is here\nand \xe2\x82\xac <there>\n\xe2\x80\x9cok\xe2\x80\x9d ");
    memo_records_free(r);
    assert_memo_ok(formats_import(e, "x.mbox", (memo_import_options){.skip_bad = 1}, &f), e->err);
    formats_expect(&f, 0, 0, 3, 0, 1);
    assert_memo_status(formats_import(e, "x.mbox", (memo_import_options){0}, &f),
                       MEMO_ERR_UNSUPPORTED, e->err);
    assert_contains(e->err.message, "x.mbox:45: charset \"koi8-r\"");
    formats_put("y.mbox", "just text\n");
    assert_memo_status(formats_import(e, "y.mbox", (memo_import_options){0}, &f), MEMO_ERR_FORMAT,
                       e->err);
    assert_contains(e->err.message, "y.mbox:1: not a mailbox");
}

/* What lies in it is no mailbox: neither "From " nor ">From" means anything. */
static void test_import_eml_is_one_message(void **state)
{
    static const char message[] = "\r\nSubject: Tea\r\nMessage-ID: <eml@x>\r\n"
                                  "Date: Tue, 1 Jul 2025 09:30:00 +0200\r\nFrom: anna@x\r\n\r\n"
                                  "the pot\r\n\r\nFrom there it went\r\n>From here\r\n";
    static const char enveloped[] = "From a@x Tue Jul  1 09:30:00 2025\nSubject: Pot\n\nthe tea\n";
    db_env *e = *state;
    formats_env f;
    memo_records *r;
    memo_list_options list = {.size = sizeof list, .where = "title = 'Pot'"};
    formats_folder(e);
    formats_put("a.eml", message);
    formats_put("b.EML", enveloped);
    formats_put("c.eml", "");
    assert_memo_ok(formats_import(e, "", (memo_import_options){0}, &f), e->err);
    formats_expect(&f, 2, 0, 0, 0, 0);
    r = formats_get(e, "eml@x");
    assert_string_equal(r->records->text.bytes, "the pot\n\nFrom there it went\n>From here\n");
    assert_string_equal(r->records->title, "Tea");
    assert_string_equal(r->records->metadata_json, "{\"from\":\"anna@x\"}");
    assert_int_equal(r->records->created_ms, INT64_C(1751355000000));
    memo_records_free(r);
    assert_memo_ok(memo_db_list(e->db, &list, &r, &e->err), e->err);
    assert_int_equal(r->n, 1);
    assert_string_equal(r->records[0].text.bytes, "the tea\n");
    memo_records_free(r);
    assert_memo_ok(formats_import(e, "", (memo_import_options){0}, &f), e->err);
    formats_expect(&f, 0, 0, 2, 0, 0);
    formats_put("d.eml", "no header here\n");
    assert_memo_status(formats_import(e, "d.eml", (memo_import_options){0}, &f), MEMO_ERR_FORMAT,
                       e->err);
    assert_contains(e->err.message, "d.eml:1: the message has no headers");
}

/* A file whose name has no dot is a mailbox by its first two lines, prose and other names are not. */
static void test_import_mailbox_without_suffix(void **state)
{
    static const char box[] = "From a@x Tue Jul  1 09:30:00 2025\nX-Mozilla-Status: 0001\n"
                              "Message-ID: <in@x>\n\nthe pot\n\nFrom b@x\nSubject: two\n"
                              "Message-ID: <in2@x>\n\nthe tea\n";
    db_env *e = *state;
    formats_env f;
    memo_records *r;
    char key[600];
    formats_folder(e);
    formats_put("Inbox", box);
    formats_put("Letter", "From here to there\nit is far: very\n");
    formats_put("note.txt", box);
    assert_memo_ok(formats_import(e, "", (memo_import_options){0}, &f), e->err);
    formats_expect(&f, 4, 0, 0, 0, 0);
    memo_records_free(formats_get(e, "in@x"));
    memo_records_free(formats_get(e, "in2@x"));
    snprintf(key, sizeof key, "%s/Letter", folder);
    r = formats_get(e, key);
    assert_string_equal(r->records->text.bytes, "From here to there\nit is far: very\n");
    memo_records_free(r);
    assert_memo_ok(formats_import(e, "Inbox", (memo_import_options){0}, &f), e->err);
    formats_expect(&f, 0, 0, 2, 0, 0);
    assert_memo_ok(
        formats_import(e, "Inbox", (memo_import_options){.format = MEMO_IMPORT_TEXT}, &f), e->err);
    formats_expect(&f, 1, 0, 0, 0, 0);
}

static void expect_html(const char *html, const char *wanted)
{
    memo_buf out = {0};
    memo_buf_append(&out, "", 0);
    memo_mime_html_text(MEMO_STR(html), &out);
    assert_string_equal(out.data, wanted);
    memo_buf_fini(&out);
}

static void test_mime_decodes(void **state)
{
    memo_buf out = {0};
    memo_err err = {0};
    (void)state;
    expect_html("<html><head><style>p {x}</style><script>if (a<b) c</script></head><body><p>the "
                "&amp; key\nis   <b>here</b><br>and &#8364; &#x41;&lt;there&gt;<!-- not > this "
                "--></p>a < b &bogus; &#0;",
                "the & key is here\nand \xe2\x82\xac A<there>\na < b &bogus; &#0;");
    expect_html("<", "<");
    expect_html("a<b", "a");
    expect_html("<script>never closed", "");
    expect_html("<!--", "");
    memo_mime_header(MEMO_STR("=?koi8-r?Q?=D7?= x =?utf-8?Q?a=?="), &out, &err);
    assert_string_equal(out.data, "=?koi8-r?Q?=D7?= x a");
    memo_buf_clear(&out);
    memo_mime_quoted(MEMO_STR("a=3Db=\n c=zz="), 0, &out);
    assert_string_equal(out.data, "a=b c=zz");
    memo_buf_clear(&out);
    memo_mime_base64(MEMO_STR("aGVs\n bG8=ignored"), &out);
    assert_string_equal(out.data, "hello");
    memo_buf_clear(&out);
    assert_memo_ok(
        memo_mime_to_utf8(MEMO_STR("\x80\xe4\x81"), MEMO_STR("Windows-1252"), &out, &err), err);
    assert_string_equal(out.data, "\xe2\x82\xac\xc3\xa4\xef\xbf\xbd");
    memo_buf_clear(&out);
    assert_memo_ok(memo_mime_to_utf8(MEMO_STR("a\xff"), MEMO_STR("utf-8"), &out, &err), err);
    assert_string_equal(out.data, "a\xef\xbf\xbd");
    memo_buf_fini(&out);
}

/* Words of a charset that is not known stay as they are, in time that is linear. */
static void test_mime_unknown_words_take_linear_time(void **state)
{
    static const char word[] = "=?x?Q?a?= ";
    double ms[2];
    (void)state;
    for (int more = 0; more < 2; more++) {
        size_t n = (size_t)60000 << (2 * more);
        char *in = malloc(n * (sizeof word - 1));
        memo_buf out = {0};
        memo_err err = {0};
        clock_t began = clock();
        for (size_t i = 0; i < n; i++)
            memcpy(in + i * (sizeof word - 1), word, sizeof word - 1);
        n *= sizeof word - 1;
        assert_memo_ok(memo_mime_header((memo_text){in, n}, &out, &err), err);
        ms[more] = (double)(clock() - began) * 1000 / CLOCKS_PER_SEC;
        assert_int_equal(out.n, n);
        assert_memory_equal(out.data, in, n);
        memo_buf_fini(&out);
        free(in);
    }
    assert_true(ms[1] < 8 * ms[0] + 100); /* four times as many */
}

/* Parts within parts without end, a boundary that is not there, headers without a body. */
static void test_mail_survives_what_is_broken(void **state)
{
    const memo_import_options o = {.size = sizeof o};
    memo_buf deep = {0};
    memo_arena arena = {0};
    memo_record_in record;
    memo_err err = {0};
    (void)state;
    for (int i = 0; i < 40; i++)
        memo_buf_printf(&deep, "Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i, i);
    assert_memo_status(
        memo_mail_record((memo_text){deep.data, deep.n}, &o, "x", &arena, &record, &err),
        MEMO_ERR_FORMAT, err);
    assert_contains(err.message, "nested deeper than 16");
    memo_buf_fini(&deep);
    assert_memo_ok(
        memo_mail_record(MEMO_STR("Subject: only this\n"), &o, "x", &arena, &record, &err), err);
    assert_string_equal(record.text.bytes, "only this");
    assert_int_equal(strlen(record.key), 32);
    assert_memo_ok(memo_mail_record(MEMO_STR("Content-Type: multipart/mixed; boundary=q\nDate: x, "
                                             "31 Feb 2025 25:00\n\n--q\n\nleft open"),
                                    &o, "x", &arena, &record, &err),
                   err);
    assert_string_equal(record.text.bytes, "left open");
    assert_int_equal(record.created_ms, 0);
    assert_memo_status(memo_mail_record(MEMO_STR("no headers"), &o, "x", &arena, &record, &err),
                       MEMO_ERR_FORMAT, err);
    memo_arena_fini(&arena);
}

/* What the caller names is known by how it begins; a table of tabs by its name. */
static void test_import_knows_files_by_their_beginning(void **state)
{
    db_env *e = *state;
    formats_env f;
    memo_records *r;
    formats_folder(e);
    formats_put("memory.json", mcp_lines);
    assert_memo_ok(formats_import(e, "memory.json", (memo_import_options){0}, &f), e->err);
    assert_true(f.report.n_entities > 0);
    formats_put("saved.bak", "{\"memolith\":1,\"id\":\"01JCAW5M8Q3V9Z7T2K4N6P8R0S\",\"key\":\"k\","
                             "\"text\":\"tea\"}\n");
    assert_memo_ok(formats_import(e, "saved.bak", (memo_import_options){0}, &f), e->err);
    formats_expect(&f, 1, 0, 0, 0, 0);
    r = formats_get(e, "k");
    assert_string_equal(r->records->text.bytes, "tea");
    memo_records_free(r);
    formats_put("map.json", "{\"type\":\"Feature\",\n\"name\":\"garden\"}\n");
    assert_memo_ok(formats_import(e, "map.json", (memo_import_options){0}, &f), e->err);
    formats_expect(&f, 1, 0, 0, 0, 0); /* a text */
    formats_put("t.tsv", "id\ttext\nq\tthe pot, red\n");
    assert_memo_ok(formats_import(e, "", (memo_import_options){0}, &f), e->err);
    r = formats_get(e, "q");
    assert_string_equal(r->records->text.bytes, "the pot, red");
    memo_records_free(r);
}

/* ---- what is bad --------------------------------------------------------------------------- */

/* Too many tags are known from the line; a way to cut that this model cannot only with the model. */
static void test_import_takes_all_but_what_a_group_refuses(void **state)
{
    static char lines[90000];
    db_env *e = *state;
    formats_env f;
    size_t n = (size_t)sprintf(lines, "{\"id\":\"1\",\"text\":\"tea\"}\n"
                                      "{\"id\":\"2\",\"text\":\"pot\",\"tags\":[\"t\"");
    for (int i = 0; i < 9000; i++)
        n += (size_t)sprintf(lines + n, ",\"t%05d\"", i);
    n += (size_t)sprintf(lines + n, "]}\n{\"id\":\"3\",\"text\":\"boat\"}\n");
    for (int i = 4; i < 12; i++)
        n += (size_t)sprintf(
            lines + n,
            "{\"memolith\":1,\"key\":\"%d\",\"text\":\"sea %d\",\"cut\":{\"tokens\":%d}}\n", i, i,
            i == 6 || i == 11 ? 1000000 : 0);
    formats_folder(e);
    formats_put("x.ndjson", lines);
    assert_memo_ok(formats_import(e, "x.ndjson", (memo_import_options){.skip_bad = 1}, &f), e->err);
    assert_string_equal(f.bad, "x.ndjson:2 LIMIT x.ndjson:6 VALUE x.ndjson:11 VALUE");
    formats_expect(&f, 8, 0, 0, 0, 3);
    assert_memo_ok(formats_import(e, "x.ndjson", (memo_import_options){.skip_bad = 1}, &f), e->err);
    formats_expect(&f, 0, 0, 8, 0, 3);
    formats_put("y.ndjson", strstr(lines, "{\"memolith"));
    assert_memo_status(formats_import(e, "y.ndjson", (memo_import_options){.ns = "other"}, &f),
                       MEMO_ERR_VALUE, e->err);
    assert_non_null(strstr(e->err.message, "y.ndjson:3: "));
    formats_expect(&f, 2, 0, 0, 0, 1);
}

/* A cell that is too long holds lines that look like rows. */
static void test_import_csv_goes_on_behind_a_row_that_is_too_long(void **state)
{
    db_env *e = *state;
    formats_env f;
    FILE *out;
    formats_folder(e);
    out = tiny_model_create(folder, "x.csv");
    fputs("id,text\na,tea\nb,\"long\n", out);
    for (int i = 0; i < 100000; i++)
        fprintf(out, "row%d,%0100d\n", i, i);
    fputs("end\"\nc,pot\nd,\"", out);
    for (int i = 0; i < 9; i++)
        fprintf(out, "%01000000d%s", i, i == 4 ? "\"\"" : "");
    fputs("\nwithin,it\"\ne,boat\n", out);
    fclose(out);
    assert_memo_ok(formats_import(e, "x.csv", (memo_import_options){.skip_bad = 1}, &f), e->err);
    formats_expect(&f, 3, 0, 0, 0, 2);
    assert_string_equal(f.bad, "x.csv:3 LIMIT x.csv:100006 LIMIT");
}

/* ---- prune, dry runs ----------------------------------------------------------------------- */

static void formats_remove(const char *name)
{
    char path[600];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(unlink(path), 0);
}

static void test_import_prunes_what_is_gone(void **state)
{
    db_env *e = *state;
    formats_env f;
    const int pinned = 1;
    char key[600];
    const memo_import_options prune = {.prune = 1};
    memo_record_in mine = db_record("mine", "not imported"), pin;
    formats_folder(e);
    formats_put("a.txt", "the key");
    formats_put("it's.txt", "the boat");
    formats_put("c.ndjson", "{\"id\":\"c1\",\"text\":\"tea\"}\n{\"id\":\"c2\",\"text\":\"pot\"}\n");
    formats_put("d.txt", "pinned");
    snprintf(key, sizeof key, "%s/never.txt", folder);
    mine.source = key;
    db_put(e, mine);
    assert_memo_ok(formats_import(e, "", prune, &f), e->err);
    formats_expect(&f, 5, 0, 0, 0, 0);
    snprintf(key, sizeof key, "%s/d.txt", folder);
    pin = db_record(key, "pinned");
    pin.title = "d";
    pin.source = key;
    pin.pinned = &pinned;
    assert_int_equal(db_put(e, pin).outcome, MEMO_OUTCOME_CHANGED);
    formats_remove("it's.txt");
    formats_remove("c.ndjson");
    formats_remove("d.txt");
    assert_memo_ok(formats_import(e, "", (memo_import_options){.prune = 1, .dry_run = 1}, &f),
                   e->err);
    formats_expect(&f, 0, 0, 1, 3, 0);
    assert_memo_ok(formats_import(e, "", (memo_import_options){0}, &f), e->err);
    formats_expect(&f, 0, 0, 1, 0, 0);
    assert_memo_ok(formats_import(e, "", prune, &f), e->err);
    formats_expect(&f, 0, 0, 1, 3, 0);
    assert_memo_ok(formats_import(e, "", prune, &f), e->err);
    formats_expect(&f, 0, 0, 1, 0, 0);
    memo_records_free(formats_get(e, "mine"));
    memo_records_free(formats_get(e, key));
    formats_remove("a.txt"); /* an empty folder may be a disk that is not there */
    assert_memo_ok(formats_import(e, "", prune, &f), e->err);
    formats_expect(&f, 0, 0, 0, 0, 0);
}

/* Of a .json file that is gone only what cannot have come from elsewhere goes along. */
static void test_import_prune_of_json(void **state)
{
    db_env *e = *state;
    formats_env f;
    char source[600];
    const memo_import_options prune = {.prune = 1};
    memo_record_in mine = db_record("why", "the package is pinned for a reason");
    formats_folder(e);
    formats_put("stays.txt", "the key");
    formats_put("package.json", "[{\"text\":\"tea\"},{\"text\":\"pot\"}]");
    snprintf(source, sizeof source, "%s/package.json", folder);
    mine.source = source;
    db_put(e, mine);
    assert_memo_ok(formats_import(e, "stays.txt", (memo_import_options){0}, &f), e->err);
    assert_memo_ok(formats_import(e, "package.json", (memo_import_options){0}, &f), e->err);
    formats_expect(&f, 2, 0, 0, 0, 0);
    formats_remove("package.json");
    assert_memo_ok(formats_import(e, "", prune, &f), e->err);
    assert_int_equal(f.report.n_removed, 2);
    memo_records_free(formats_get(e, "why"));
}

/* A disk that goes while it is read: what cannot be found then was not removed. */
static int formats_take_away(void *user, const memo_import_file *file)
{
    (void)user;
    if (strstr(file->path, "b.txt"))
        formats_remove("b.txt");
    return 1;
}

static void test_import_prune_keeps_after_unreadable(void **state)
{
    db_env *e = *state;
    formats_env f;
    const memo_import_options prune = {.prune = 1, .skip_bad = 1};
    memo_import_options goes = prune;
    goes.wanted = formats_take_away;
    formats_folder(e);
    formats_put("a.txt", "the key");
    formats_put("b.txt", "the boat");
    assert_memo_ok(formats_import(e, "", prune, &f), e->err);
    assert_memo_ok(formats_import(e, "", goes, &f), e->err);
    formats_expect(&f, 0, 0, 1, 0, 1);
    assert_int_equal(f.report.n_kept, 1);
    assert_memo_ok(formats_import(e, "", prune, &f), e->err);
    formats_expect(&f, 0, 0, 1, 1, 0);
    assert_int_equal(f.report.n_kept, 0);
}

static void test_import_dry_run_counts(void **state)
{
    db_env *e = *state;
    formats_env f;
    memo_db_stats before = {.size = sizeof before}, after = {.size = sizeof after};
    const memo_import_options dry = {.dry_run = 1};
    formats_folder(e);
    formats_put("a.txt", "the key");
    formats_put("memory.jsonl", mcp_lines);
    assert_memo_ok(formats_import(e, "", dry, &f), e->err);
    formats_expect(&f, 3, 0, 0, 0, 0);
    assert_memo_ok(formats_import(e, "", (memo_import_options){0}, &f), e->err);
    formats_expect(&f, 3, 0, 0, 0, 0);
    formats_put("a.txt", "another key");
    formats_put("b.txt", "new");
    assert_memo_ok(memo_db_get_stats(e->db, &before, &e->err), e->err);
    assert_memo_ok(formats_import(e, "", dry, &f), e->err);
    formats_expect(&f, 1, 1, 2, 0, 0);
    assert_memo_ok(memo_db_get_stats(e->db, &after, &e->err), e->err);
    assert_int_equal(before.change_seq, after.change_seq);
}

/* ---- memory -------------------------------------------------------------------------------- */

static void test_import_formats_without_memory(void **state)
{
    db_env *e = *state;
    formats_env f;
    memo_status status = MEMO_ERR_NOMEM;
    int64_t live;
    formats_folder(e);
    formats_put("memory.jsonl", mcp_lines);
    formats_put("x.csv", "id,text,tags,metadata.n\na,\"the\npot\",x,1\n");
    formats_put("x.mbox", mail_box);
    formats_put("x.eml", "Subject: s\n\nthe tea\n");
    formats_put("x.json", "[{\"text\": \"one\"}]");
    live = memo_alloc_live();
    for (uint64_t n = 1; status == MEMO_ERR_NOMEM; n++) {
        memo_alloc_fail_at(n, 0);
        status = formats_import(e, "", (memo_import_options){.skip_bad = 1, .dry_run = 1}, &f);
        memo_alloc_fail_at(0, 0);
        assert_int_equal(memo_alloc_live(), live);
        if (n > 100000)
            fail_msg("never enough");
    }
    assert_memo_ok(status, e->err);
    assert_string_equal(f.bad, "x.mbox:45 UNSUPPORTED");
    formats_expect(&f, 8, 0, 0, 0, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        db_test(test_import_csv_takes_fields),
        db_test(test_import_csv_other_columns_are_metadata),
        db_test(test_import_csv_separators_and_names),
        db_test(test_limits_197_csv),
        db_test(test_import_mbox_reads_messages),
        db_test(test_import_eml_is_one_message),
        db_test(test_import_mailbox_without_suffix),
        cmocka_unit_test(test_mime_decodes),
        cmocka_unit_test(test_mime_unknown_words_take_linear_time),
        cmocka_unit_test(test_mail_survives_what_is_broken),
        db_test(test_import_prune_of_json),
        db_test(test_import_takes_all_but_what_a_group_refuses),
        db_test(test_import_csv_goes_on_behind_a_row_that_is_too_long),
        db_test(test_import_knows_files_by_their_beginning),
        db_test(test_import_prunes_what_is_gone),
        db_test(test_import_prune_keeps_after_unreadable),
        db_test(test_import_dry_run_counts),
        db_test(test_import_formats_without_memory),
    };
    return cmocka_run_group_tests(tests, db_setup_group, db_teardown_group);
}
