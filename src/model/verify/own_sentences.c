// SPDX-License-Identifier: Apache-2.0
/* Many texts from few words: who, what, and where or when, in groups of eight whose parts fit each
 * other; then what is no sentence: code, logs, figures, scraps and other scripts, whose inputs are
 * unlike those of prose. In turn t = 0..3 sentence a of a group takes parts a, (a + 2 t) mod 8 and
 * (a + t) mod 8, so that no two share more than one of the three. Written for this, like own_texts.c. */
#include "model/verify/fidelity.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"

#define SENTENCE_PARTS 8

typedef struct sentence_group {
    const char *who[SENTENCE_PARTS], *what[SENTENCE_PARTS], *where[SENTENCE_PARTS];
} sentence_group;

static const sentence_group sentence_groups[] = {
    {{"A young man", "The old woman with the hat", "A girl in a red coat", "My neighbour",
      "The tired driver", "A group of students", "The man who sold us the house", "Her brother"},
     {"is playing the guitar", "slices a large onion", "waits for the bus",
      "is riding a brown horse", "looks for a lost dog", "throws a ball to a child",
      "is reading the newspaper", "drinks a cup of coffee"},
     {"in the kitchen.", "near the station.", "on the beach at sunset.", "in front of the library.",
      "on a wooden bench.", "behind the supermarket.", "under a large tree.",
      "in the middle of the street."}},
    {{"Two cats", "A small black dog", "Three white sheep", "A flock of birds", "The brown bear",
      "A herd of elephants", "Several ducks", "The grey squirrel"},
     {"ran across the wet grass", "are sleeping side by side", "swam away from the boat",
      "jumped over a low fence", "stood very still", "are looking for food", "chased a butterfly",
      "climbed onto the rock"},
     {"before the rain began.", "while the children watched.", "in the early morning.",
      "because they were hungry.", "at the edge of the forest.", "after a long cold winter.",
      "without making a sound.", "close to the river."}},
    {{"The prime minister", "The central bank", "A court in the capital", "The largest union",
      "A spokesman for the airline", "The health ministry", "The opposition party",
      "An independent commission"},
     {"rejected the new proposal", "announced higher prices", "warned of further delays",
      "confirmed the death of four people", "called for an immediate election",
      "agreed to pay the damages", "postponed the vote on the budget", "denied all of the charges"},
     {"on Monday.", "after talks that lasted all night.", "despite protests in several cities.",
      "two weeks before the summit.", "for the second time this year.", "in a written statement.",
      "as shares fell by three per cent.", "following the attack on the border."}},
    {{"The nightly backup", "This function", "The login page", "Our search index",
      "The mobile client", "A background thread", "The new parser", "The build server"},
     {"fails with a timeout", "uses twice as much memory", "returns the wrong result",
      "no longer starts", "writes an empty file", "ignores the configuration",
      "crashes on long input", "passes every test"},
     {"since version 2.4.", "when the disk is full.", "if the user name has an umlaut.",
      "on machines with less than 4 GB.", "unless the cache is cleared first.",
      "after the last update.", "whenever two requests arrive at once.",
      "in release builds only."}},
    {{"The recipe for the apple cake", "Our tax return", "The insurance for the car",
      "Grandmother's ring", "The contract with the landlord", "A copy of the birth certificate",
      "The password for the router", "My vaccination card"},
     {"lies in the second drawer", "was found by Maria", "has to be sent to the bank",
      "is valid for three more years", "cost more than I remember", "should be kept safe",
      "must be renewed", "is missing"},
     {"according to my notes.", "as far as I know.", "until the end of March.",
      "so please do not lose it.", "and nobody else knows.", "because we moved last summer.",
      "which surprised all of us.", "if I remember correctly."}},
    {{"Der Hausmeister", "Meine Schwester", "Der neue Nachbar", "Die Ärztin", "Unser Lehrer",
      "Die Frau vom Amt", "Der Fahrer des Busses", "Ein Freund aus Leipzig"},
     {"wartet auf einen Anruf", "sucht den Schlüssel", "hat das Fenster repariert",
      "liest die Zeitung", "bringt morgen das Paket", "möchte den Vertrag kündigen",
      "kauft Brot und Käse", "hat den Termin vergessen"},
     {"vor dem Bahnhof.", "seit heute Morgen.", "wegen des Regens.", "in der alten Küche.",
      "trotz der Kälte.", "nach dem Mittagessen.", "ohne ein Wort zu sagen.",
      "am Rand der Stadt."}},
    {{"Le boulanger", "Ma cousine", "Le vieux médecin", "La voisine du dessus", "Notre professeur",
      "Un ami de Lyon", "La directrice", "Le facteur"},
     {"cherche un appartement", "a perdu ses lunettes", "prépare une soupe", "attend une réponse",
      "lit une longue lettre", "répare le toit", "veut vendre sa voiture",
      "a oublié le rendez-vous"},
     {"près de la gare.", "depuis hier soir.", "à cause de la pluie.", "dans la petite cuisine.",
      "malgré le froid.", "après le déjeuner.", "sans dire un mot.", "au bord de la rivière."}},
    {{"El panadero", "Mi hermana", "La doctora", "El vecino nuevo", "Nuestra maestra",
      "Un amigo de Sevilla", "La directora", "El conductor"},
     {"busca un piso barato", "ha perdido las llaves", "prepara una sopa", "espera una respuesta",
      "lee una carta larga", "arregla el tejado", "quiere vender el coche", "olvidó la cita"},
     {"cerca de la estación.", "desde ayer por la noche.", "por culpa de la lluvia.",
      "en la cocina pequeña.", "a pesar del frío.", "después de comer.", "sin decir una palabra.",
      "a la orilla del río."}},
    {{"int find_key(const char *name,", "def parse_line(text):", "const total =", "for i in",
      "SELECT id, sum(price)", "if (!file || errno)", "let mut rows =", "printf(\"%d %s\\n\","},
     {"return x[i] * 0.5f;", "list.append(row[3:7])", "FROM orders AS o", "size_t n = 0x7fff;",
      "{ \"id\": 17, \"ok\": true }", "values.map(v => v + 1);", "buffer[--end] = '\\0';",
      "self.cache[key] = None"},
     {"// never NULL", "WHERE day < '2031-02-28';", "} else { break; }", "# see below",
      "&& count <= 64)", "/* 3 bytes left */", "except KeyError: pass", "<br/></td>"}},
    {{"https://example.org/a/b?q=7", "error: line 214, column 9:", "C:\\Users\\jo\\notes.txt",
      "[2029-11-03 04:05:06]", "$ tar -xzf backup-3.tar.gz", "GET /api/v2/items/88",
      "From: kim@example.com", "WARN worker-12"},
     {"404 not found", "(exit status 127)", "--dry-run --jobs=8", "took 35.2 ms",
      "192.168.0.44:8080", "sha1=9f3c27d0e1", "%20and%20more", "UTF-8, LF"},
     {"| grep -v tmp", "at main.c:88", "[retry 2/5]", "#section-4_1", "@ 3.4 GHz", "~ 1.7 GB free",
      "=> ok", "<jo@example.net>"}},
    {{"12.50", "Invoice 2023/0417:", "3/4", "1,204,000", "+49 30 555 0199", "Room 4B,", "Total",
      "17 kg"},
     {"x 3 = 37.50", "EUR", "(= 0.75)", "per cent", "7:45 am", "2 x 250 ml", "no. 66", "-12.8 C"},
     {"5 6 7 8 9", "due 01.02.2027", "1st, 2nd, 3rd", "60/40", "+/- 0.3", "IV. XII. 1899",
      "100 m above sea level", "a) b) c)"}},
    {{"OK", "WAIT!!", "hmm...", "NO", "Re:", "P.S.", "ugh,", "#1"},
     {"see you", "NOT TODAY", "(maybe)", "😀 👍", "asap", "<none>", "100%", "q w e r t y"},
     {"?", "...", "!!!", ";-)", "[draft]", "\"so-called\"", "- - -", "a b c"}},
    {{"Мой брат", "Старый врач", "Η μητέρα", "Ο γείτονας", "Наша учительница", "Сусідка",
      "Ο οδηγός", "Водитель"},
     {"читает письмо", "ждёт ответа", "διαβάζει", "потерял ключи", "ψάχνει το σκύλο", "варить суп",
      "купил хлеб", "γράφει"},
     {"на кухне.", "στο σπίτι.", "вчера.", "у моря.", "το πρωί.", "без слов.", "в 7 утра.",
      "κοντά στη θάλασσα."}},
    {{"我的朋友", "老师", "私の母は", "우리 형은", "मेरा भाई", "أخي", "הרופא", "เพื่อน"},
     {"在看书", "本を読む", "책을 읽는다", "किताब पढ़ता है", "يقرأ كتابا", "קורא ספר", "等电话",
      "駅で待つ"},
     {"在家里。", "今朝。", "어제.", "घर में।", "في البيت.", "בבית.", "ที่บ้าน", "2026年3月。"}},
};

#define SENTENCE_GROUPS (sizeof sentence_groups / sizeof *sentence_groups)
/* Four sentences for each a: see sentence_make(). */
#define SENTENCES_OF_GROUP ((size_t)SENTENCE_PARTS * 4)

_Static_assert(MEMO_OWN_TEXTS + SENTENCE_GROUPS * SENTENCES_OF_GROUP == MEMO_ALL_TEXTS,
               "the number of our texts");

static char *sentence_make(memo_arena *arena, size_t i)
{
    const sentence_group *group = &sentence_groups[i / SENTENCES_OF_GROUP];
    size_t a = i % SENTENCE_PARTS, turn = i % SENTENCES_OF_GROUP / SENTENCE_PARTS;
    const char *who = group->who[a], *what = group->what[(a + 2 * turn) % SENTENCE_PARTS];
    const char *where = group->where[(a + turn) % SENTENCE_PARTS];
    size_t n = strlen(who) + strlen(what) + strlen(where) + 3;
    char *text = memo_arena_alloc(arena, n);

    if (text)
        snprintf(text, n, "%s %s %s", who, what, where);
    return text;
}

memo_status memo_text_set_all(memo_text_set *set, memo_err *err)
{
    memo_text *texts = memo_arena_array(&set->arena, MEMO_ALL_TEXTS, sizeof *texts);

    if (!texts)
        return memo_fail_nomem(err, "the texts", MEMO_ALL_TEXTS * sizeof *texts);
    memcpy(texts, memo_own_texts, MEMO_OWN_TEXTS * sizeof *texts);
    for (size_t i = MEMO_OWN_TEXTS; i < MEMO_ALL_TEXTS; i++) {
        char *text = sentence_make(&set->arena, i - MEMO_OWN_TEXTS);
        if (!text)
            return memo_fail_nomem(err, "the texts", 0);
        texts[i] = (memo_text){text, strlen(text)};
    }
    set->n = MEMO_ALL_TEXTS;
    set->texts = texts;
    return MEMO_OK;
}
