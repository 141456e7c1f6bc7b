// SPDX-License-Identifier: Apache-2.0
/* The texts that a model is compared on when no others are given. Written for this; none of them is
 * anybody's test data. */
#include "model/verify/fidelity.h"

const memo_text memo_own_texts[MEMO_OWN_TEXTS] = {
    MEMO_TEXT("tea"),
    MEMO_TEXT("yes"),
    MEMO_TEXT("No, thank you."),
    MEMO_TEXT("?\?\?"),
    MEMO_TEXT("42"),
    MEMO_TEXT("the spare key"),
    MEMO_TEXT("Where did I put the passport?"),
    MEMO_TEXT("How do I reset the boiler after a power cut?"),
    MEMO_TEXT("What does Anna like for her birthday?"),
    MEMO_TEXT("Meeting moved to Thursday at ten."),
    MEMO_TEXT("The boiler was serviced on 12 May; the next service is due in a year."),
    MEMO_TEXT("Anna is allergic to peanuts and does not like surprise parties."),
    MEMO_TEXT("The spare key hangs behind the blue door of the boat house."),
    MEMO_TEXT("Buy oat milk, two lemons, batteries (AA) and a birthday card for Tom."),
    MEMO_TEXT("The train to the coast leaves from platform 7 at 08:14, change at the second "
              "stop."),
    MEMO_TEXT("Our landlord's new number is 555-0142; call only between nine and five."),
    MEMO_TEXT("The dentist said that the crown on the lower left should last another ten years."),
    MEMO_TEXT("I promised to send the photographs of the summer house before the end of the "
              "month."),
    MEMO_TEXT("The red bicycle has a slow puncture in the back tyre and needs a new chain."),
    MEMO_TEXT("She argued that the bridge should be repaired rather than replaced, because the "
              "old stone piers are sound."),
    MEMO_TEXT("If the alarm beeps twice a minute, its battery is low; if it beeps without a "
              "pause, leave the house."),
    MEMO_TEXT("The committee approved the budget with nine votes to two, on the condition that "
              "the library stays open on Sundays."),
    MEMO_TEXT("Soak the beans overnight, boil them for ten minutes, then let them simmer with "
              "bay leaf, garlic and a piece of ham for two hours."),
    MEMO_TEXT("A glacier is a river of ice that flows so slowly that only its cracks and its "
              "gravel tell you that it moves at all."),
    MEMO_TEXT("The patient reported mild headaches in the mornings; blood pressure 128/82, no "
              "change in weight, follow-up in six weeks."),
    MEMO_TEXT("The defendant shall pay the sum of 4,300 within thirty days of receipt of this "
              "notice, failing which interest accrues at five per cent a year."),
    MEMO_TEXT("Photosynthesis turns light, water and carbon dioxide into sugar and oxygen."),
    MEMO_TEXT("The value of a bond falls when interest rates rise."),
    MEMO_TEXT("Mount the disk read-only, copy it block by block, and only then try to repair "
              "the file system."),
    MEMO_TEXT("He scored in the last minute, and the whole street heard it."),
    MEMO_TEXT("The violin enters two bars after the cello, very softly, and takes over the "
              "theme."),
    MEMO_TEXT("Nobody had told the cat that the house was sold."),
    MEMO_TEXT("Der Zug nach Görlitz fährt heute von Gleis 7, Abschnitt B."),
    MEMO_TEXT("Die Heizung wurde im Mai gewartet; der nächste Termin ist in einem Jahr."),
    MEMO_TEXT("Wo liegt der Ersatzschlüssel für das Bootshaus?"),
    MEMO_TEXT("Anna verträgt keine Erdnüsse und mag keine Überraschungen."),
    MEMO_TEXT("Die Brücke über die Spree wird bis Ende Oktober gesperrt, Fußgänger dürfen sie "
              "weiter benutzen."),
    MEMO_TEXT("Où ai-je rangé le passeport ?"),
    MEMO_TEXT("Le médecin a déplacé le rendez-vous à jeudi, à seize heures trente."),
    MEMO_TEXT("La chaudière a été révisée au mois de mai ; elle le sera de nouveau dans un an."),
    MEMO_TEXT("Il faut faire tremper les haricots toute la nuit avant de les cuire."),
    MEMO_TEXT("El tren a la costa sale a las ocho y catorce del andén siete."),
    MEMO_TEXT("¿Dónde está la llave de la casa de los botes?"),
    MEMO_TEXT("A Ana no le gustan las fiestas sorpresa y es alérgica a los cacahuetes."),
    MEMO_TEXT("Il gatto dorme sul tetto della casa venduta."),
    MEMO_TEXT("La riunione è stata spostata a giovedì alle dieci."),
    MEMO_TEXT("A chave reserva fica atrás da porta azul."),
    MEMO_TEXT("De fiets met de lekke achterband staat in de schuur."),
    MEMO_TEXT("Ключи от подвала лежат в синей коробке на верхней полке."),
    MEMO_TEXT("Встреча перенесена на четверг, на десять часов."),
    MEMO_TEXT("Το κλειδί είναι πίσω από τη μπλε πόρτα."),
    MEMO_TEXT("المفتاح خلف الباب الأزرق."),
    MEMO_TEXT("चाबी नीले दरवाज़े के पीछे है।"),
    MEMO_TEXT("明日の会議は十時から三階の部屋で始まります。"),
    MEMO_TEXT("钥匙挂在蓝色的门后面。"),
    MEMO_TEXT("열쇠는 파란 문 뒤에 걸려 있습니다."),
    MEMO_TEXT("for (i = 0; i < n; i++) sum += x[i] * w[i];  // 3.14e-2, 0x1F"),
    MEMO_TEXT("SELECT name, count(*) FROM visits WHERE day >= '2025-07-01' GROUP BY name ORDER "
              "BY 2 DESC;"),
    MEMO_TEXT("error: cannot open /var/lib/app/state.json: Permission denied (errno 13)"),
    MEMO_TEXT("user_name@example.org wrote on 2025-07-01T09:30:00Z: see ticket #4711, version "
              "2.0.1-rc3"),
    MEMO_TEXT("🙂 great, see you at 8!"),
    MEMO_TEXT("1954 1962 1978 1999 2003 2010 2024"),
    MEMO_TEXT("When the river rose for the second time that spring, the people of the lower "
              "village carried their books and seed potatoes up to the school, lit the stove in "
              "the gymnasium, and waited two nights; on the third morning the water had left a "
              "line of straw along the church wall, exactly as high as the mark of 1954, and "
              "everyone agreed that the new dam had been worth its price, although nobody could "
              "say any more who had paid for it."),
    MEMO_TEXT("To change the filter of the pump, first switch it off at the wall and wait until "
              "the pressure gauge shows zero. Turn the grey ring to the left and lift the cover "
              "off; some water will run out, so put a bucket under it. Take the old filter out "
              "and rinse the housing with clean water, without soap. Grease the seal thinly, "
              "put the new filter in with its arrow pointing down, and turn the ring to the "
              "right until it clicks. Open the small valve on top, switch the pump on, and "
              "close the valve when water comes out of it without bubbles. If the gauge does "
              "not rise above two bar within a minute, the seal is not seated: switch off and "
              "begin again."),
};
