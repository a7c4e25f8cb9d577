"""What people say while an agent talks, in the languages that have a lexicon; then what holds for any text."""

from __future__ import annotations

import unicodedata
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceworker.policy.backchannels import Aside, Backchannels, BadLexicon, Kind, lexicon_of, read_lexicon

LANGUAGES = ["ar", "da", "de", "en", "es", "fr", "hi", "it", "ja", "ko", "nl", "pl", "pt", "sv", "tr", "zh"]
EN = Backchannels(lexicon_of("en"))

SAID: dict[str, dict[Kind, list[str]]] = {
    "en": {
        "backchannel": [
            "mm-hmm", "Mm-hmm.", "mm hmm", "mmhmm", "mhm", "Mhmm", "m-hm", "mmmm", "hmm", "Hmmmm...", "uh-huh",
            "uh huh", "Uh-huh, uh-huh.", "uhhh huh", "yeah", "Yeah, okay, right.", "yeahhh", "okaaay", "OK",
            "O.K.", "k", "okay okay", "right right right", "I see.", "oh, I see", "got it", "Sure, sure.",
            "all right", "alright", "yep", "yup", "of course", "that's right", "that’s right", "THAT'S RIGHT",
            "oh really?", "Really?", "oh wow", "ah", "ahh", "aha", "oh", "ohhh", "ooh", "okay good", "mm",
            "uh, yeah", "um, okay", "haha", "[laughter] yeah", "ｙｅａｈ", "thank you", "makes sense", "yes",
            "exactly", "okay. yeah.", "yeahyeah", "Yes, yes, yes, of course!",
        ],
        "stop": [
            "stop", "Stop!", "STOP", "stoppp", "stop it", "stop talking please", "wait", "waaait",
            "wait a minute", "wait, wait", "hold on", "hold on a second", "hang on", "just a moment",
            "one second", "no no", "no, no, no", "No. No!", "okay stop", "yeah, wait", "um, hold on", "no wait",
            "no, stop", "excuse me", "hey", "that's enough", "please stop", "wait what does it cost", "pause",
            "quiet please", "shut up", "never mind", "let me finish",
        ],
        "speech": [
            "no", "nope", "no that's wrong", "what", "what?", "sorry", "what is the price",
            "mm-hmm what is the price", "yeah but I need it today", "okay but what does it cost", "actually",
            "I want to book", "not Thursday", "help", "Huh?", "hm?", "mm?", "my name is Bell",
            "yeah no that doesn't work", "how much", "five", "555 123", "can you repeat that",
            "right but that is too late for me", "I", "the second one", "goodbye", "yesterday", "okra",
            "I know that already", "no thank you", "nonsense",
        ],
        "nothing": [
            "", " ", "...", "—", "um", "uh", "Uhm...", "er", "[cough]", "(laughs)", "<noise>", "♪", "*sighs*",
            "?!",
        ],
    },
    "de": {
        "backchannel": [
            "ja", "Ja, genau.", "jaja", "ja ja", "mhm", "hm", "ach so", "achso", "alles klar", "okay",
            "verstehe", "stimmt", "natürlich", "Ach ja?", "gut, super", "aha", "echt?", "ja, äh, genau",
            "na klar", "NATÜRLICH",
        ],
        "stop": [
            "stopp", "Stop", "warte", "Warten Sie bitte", "Moment mal", "einen Moment", "nein nein", "halt",
            "hör auf", "Entschuldigung", "ja, Moment", "nein, warten Sie", "das reicht", "ruhe",
        ],
        "speech": [
            "nein", "was kostet das", "ja aber ich brauche", "doch", "ich möchte", "Was?", "morgen",
            "mhm und der Preis",
        ],
        "nothing": [
            "äh", "ähm", "Öhm...", "",
        ],
    },
    "fr": {
        "backchannel": [
            "oui", "Oui, d'accord.", "d’accord", "ouais ouais", "mm-hmm", "ah bon ?", "je vois", "bien sûr",
            "tout à fait", "c'est ça", "ok", "ah oui", "très bien", "voilà", "exactement", "hum, oui",
            "BIEN SÛR",
        ],
        "stop": [
            "stop", "attendez", "Attendez une minute", "un instant", "arrêtez", "non non", "oui, attendez",
            "excusez-moi", "ça suffit", "une seconde s'il vous plaît", "laissez-moi parler",
        ],
        "speech": [
            "non", "combien ça coûte", "oui mais je veux", "je voudrais réserver", "pas jeudi",
            "si je viens demain",
        ],
        "nothing": [
            "euh", "Heu...", "euh, euh",
        ],
    },
    "es": {
        "backchannel": [
            "sí", "si", "Sí, claro.", "ajá", "vale", "vale, vale", "ya veo", "claro que sí", "de acuerdo",
            "mm-hmm", "entiendo", "¿en serio?", "exacto", "muy bien", "ok", "eh, sí", "sííí", "CLARO",
        ],
        "stop": [
            "para", "¡Espere!", "espera un momento", "un momento", "basta", "no no", "oiga", "sí, espere",
            "perdone", "ya basta",
        ],
        "speech": [
            "no", "¿cuánto cuesta?", "sí pero quiero otro", "quisiera reservar", "mañana", "¿qué?",
        ],
        "nothing": [
            "eh", "este...", "pues",
        ],
    },
    "it": {
        "backchannel": [
            "sì", "si", "Sì, certo.", "va bene", "ho capito", "d'accordo", "esatto", "mm-hmm", "ok",
            "davvero?", "ah, sì", "capisco", "perfetto", "ehm, sì", "certo certo",
        ],
        "stop": [
            "stop", "aspetti", "Aspetti un attimo", "un momento", "basta", "no no", "scusi", "sì, aspetti",
            "fermo",
        ],
        "speech": [
            "no", "quanto costa", "sì ma vorrei", "vorrei prenotare", "domani", "come?", "però domani",
        ],
        "nothing": [
            "ehm", "beh", "mah",
        ],
    },
    "pt": {
        "backchannel": [
            "sim", "Sim, claro.", "uhum", "aham", "tá bom", "tá", "entendi", "certo", "isso mesmo", "pois é",
            "ok", "com certeza", "ah é?", "está bem", "beleza", "hum, sim",
        ],
        "stop": [
            "para", "espera", "Espere aí", "peraí", "um momento", "só um minuto", "não não", "desculpe",
            "chega", "sim, espere", "com licença",
        ],
        "speech": [
            "não", "quanto custa", "sim mas eu quero", "eu queria marcar", "amanhã", "hein?",
        ],
        "nothing": [
            "hum", "ahn",
        ],
    },
    "nl": {
        "backchannel": [
            "ja", "Ja hoor.", "jaja", "oké", "klopt", "precies", "mm-hmm", "hm", "begrijp ik", "ja, precies",
            "prima", "inderdaad", "echt waar?", "natuurlijk", "eh, ja",
        ],
        "stop": [
            "stop", "wacht even", "Wacht!", "een momentje", "ho", "nee nee", "sorry", "ja, wacht even",
            "hou op", "genoeg",
        ],
        "speech": [
            "nee", "wat kost dat", "ja maar ik wil", "ik wil boeken", "morgen", "wat?",
        ],
        "nothing": [
            "eh", "euh", "uhm",
        ],
    },
    "pl": {
        "backchannel": [
            "tak", "Tak, tak.", "no tak", "aha", "mhm", "dobrze", "rozumiem", "jasne", "okej", "oczywiście",
            "no", "zgadza się", "naprawdę?", "yyy tak", "dokładnie",
        ],
        "stop": [
            "stop", "proszę poczekać", "Chwileczkę", "moment", "czekaj", "nie nie", "przepraszam",
            "tak, chwileczkę", "dość",
        ],
        "speech": [
            "nie", "ile to kosztuje", "tak ale chcę", "chciałbym zarezerwować", "jutro", "słucham?",
        ],
        "nothing": [
            "yyy", "eee", "ee...",
        ],
    },
    "sv": {
        "backchannel": [
            "ja", "Ja, precis.", "jo", "mm", "mm-hmm", "just det", "okej", "jaha", "jaså", "absolut", "visst",
            "jag förstår", "stämmer", "verkligen?", "öh, ja",
        ],
        "stop": [
            "stopp", "vänta", "Vänta lite", "ett ögonblick", "nej nej", "ursäkta", "sluta", "ja, vänta", "tyst",
        ],
        "speech": [
            "nej", "vad kostar det", "ja men jag vill", "jag vill boka", "i morgon", "va?",
        ],
        "nothing": [
            "öh", "eh", "ehm",
        ],
    },
    "da": {
        "backchannel": [
            "ja", "Ja, præcis.", "jo", "mm", "okay", "nemlig", "nå ja", "netop", "selvfølgelig",
            "jeg forstår", "fint", "virkelig?", "øh, ja", "det er rigtigt",
        ],
        "stop": [
            "stop", "vent", "Vent lige", "et øjeblik", "nej nej", "undskyld", "ja, vent lidt", "det er nok",
            "hov",
        ],
        "speech": [
            "nej", "hvad koster det", "ja men jeg vil", "jeg vil gerne bestille", "i morgen", "hvad?",
        ],
        "nothing": [
            "øh", "øhm", "æh...",
        ],
    },
    "tr": {
        "backchannel": [
            "evet", "Evet, tamam.", "hı hı", "tabii", "tamam", "anladım", "peki", "doğru", "öyle mi?",
            "aynen", "hmm", "olur", "evet evet", "şey, evet", "TAMAM",
        ],
        "stop": [
            "dur", "Durun!", "bir dakika", "bekleyin", "bir saniye", "hayır hayır", "pardon",
            "evet, bir dakika", "yeter",
        ],
        "speech": [
            "hayır", "fiyatı ne kadar", "evet ama istiyorum", "randevu almak istiyorum", "yarın", "ne?",
        ],
        "nothing": [
            "ııı", "eee", "şey...",
        ],
    },
    "ja": {
        "backchannel": [
            "はい", "はい、はい。", "うん", "うんうん", "ええ", "そうですね", "なるほど", "へえー", "へぇ",
            "そうなんですか", "わかりました", "分かりました", "あー、はい", "OK", "ＯＫ", "オッケー",
            "ああ、なるほど。", "本当ですか?", "ふーん",
        ],
        "stop": [
            "ストップ", "待って", "ちょっと待ってください", "すみません", "やめて", "はい、ちょっと待って",
            "いや、待って", "もういいです", "いやいや",
        ],
        "speech": [
            "いいえ", "いくらですか", "はい、でも明日", "予約したいです", "明日", "はい？",
        ],
        "nothing": [
            "えーと", "えっと…", "あのー", "。",
        ],
    },
    "zh": {
        "backchannel": [
            "嗯", "嗯嗯", "嗯，好的。", "对", "对对对", "是的", "好", "好的好的", "哦", "明白了", "没问题",
            "行", "原来如此", "真的吗？", "OK", "可以", "對", "沒問題", "呃，好",
        ],
        "stop": [
            "停", "等等", "等一下", "稍等", "不好意思", "别说了", "好，等一下", "不不", "打断一下", "請等一下",
            "够了",
        ],
        "speech": [
            "不", "多少钱", "好，但是我想", "我要预约", "明天", "什么？", "谁",
        ],
        "nothing": [
            "呃", "额…", "那个",
        ],
    },
    "ko": {
        "backchannel": [
            "네", "네네", "네, 네.", "네네네", "예", "응", "음", "아, 네", "그렇군요", "맞아요", "알겠습니다",
            "그래요?", "정말요?", "오케이", "좋아요", "아 그렇구나",
        ],
        "stop": [
            "잠깐만요", "잠시만요", "그만", "기다려 주세요", "멈춰", "네, 잠깐만요", "아니 아니", "죄송한데",
            "저기요",
        ],
        "speech": [
            "아니요", "얼마예요", "네 그런데 저는", "예약하고 싶어요", "내일", "뭐라고요?",
        ],
        "nothing": [
            "저기", "그게", "저…",
        ],
    },
    "hi": {
        "backchannel": [
            "हाँ", "हां", "जी", "जी हाँ", "हाँ जी, हाँ जी", "ठीक है", "अच्छा", "अच्छा अच्छा", "बिल्कुल", "हम्म",
            "समझ गया", "सच में?", "ओके", "ज़रूर", "जरूर", "सही है", "haan ji",
        ],
        "stop": [
            "रुको", "रुकिए", "एक मिनट", "बस", "चुप", "सुनिए", "हाँ, एक मिनट", "नहीं नहीं", "माफ़ कीजिए",
        ],
        "speech": [
            "नहीं", "कितने का है", "हाँ लेकिन मुझे", "मुझे बुक करना है", "कल", "क्या?",
        ],
        "nothing": [
            "मतलब", "उम",
        ],
    },
    "ar": {
        "backchannel": [
            "نعم", "أيوه", "ايوه", "طيب", "تمام", "تمام تمام", "ماشي", "نَعَم", "نـعم", "آه", "صحيح", "فهمت",
            "أكيد", "حقًا؟", "أوكي", "إن شاء الله",
        ],
        "stop": [
            "توقف", "انتظر", "لحظة", "لحظة من فضلك", "دقيقة", "بس", "كفى", "لو سمحت", "طيب، لحظة", "لا لا",
        ],
        "speech": [
            "لا", "كم السعر", "نعم لكن أريد", "أريد أن أحجز", "غدا", "ماذا؟",
        ],
        "nothing": [
            "يعني", "امم",
        ],
    },
}  # fmt: skip


@pytest.mark.parametrize(("language", "kind"), [(language, kind) for language in SAID for kind in SAID[language]])
def test_what_is_said_is_of_its_kind(language: str, kind: Kind) -> None:
    words = Backchannels(lexicon_of(language))
    assert {text: words.kind(text) for text in SAID[language][kind]} == dict.fromkeys(SAID[language][kind], kind)


def test_every_language_has_its_examples() -> None:
    folder = resources.files("voiceworker.policy") / "lexicons"
    assert sorted(file.name for file in folder.iterdir()) == sorted(
        [*(f"{name}.toml" for name in LANGUAGES), "und.toml"]
    )
    assert sorted(SAID) == LANGUAGES


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_lexicons_phrases_are_what_they_are_listed_as(language: str) -> None:
    lexicon = lexicon_of(language)
    words = Backchannels(lexicon)
    between = " " if lexicon.spaced else ""
    for phrase in lexicon.yes | lexicon.listener:
        assert words.kind(between.join(phrase)) == "backchannel", phrase
    for phrase in lexicon.yes:
        assert words.answers(between.join(phrase)), phrase
    for phrase in lexicon.stop:
        assert words.kind(between.join(phrase)) == "stop", phrase
    for phrase in lexicon.no:
        assert words.kind(between.join(phrase)) in ("speech", "stop"), phrase
        assert words.kind(between.join(phrase * 2)) == "stop", phrase
    for phrase in lexicon.surely_aside:
        assert words.aside(between.join(phrase)) == "surely", phrase
        assert words.kind(between.join(phrase)) == "speech", phrase
    for phrase in lexicon.perhaps_aside:
        assert words.aside(between.join(phrase)) in ("perhaps", "surely"), phrase
    assert min(map(len, (lexicon.yes, lexicon.listener, lexicon.stop, lexicon.surely_aside))) >= 20


@pytest.mark.parametrize(
    "text", ["sure", "yes", "okay", "Okay, sounds good.", "mm-hmm", "uh-huh", "yeah, right", "oh yes", "of course"]
)
def test_words_that_say_yes_answer(text: str) -> None:
    assert EN.answers(text)


@pytest.mark.parametrize("text", ["I see", "oh", "hmm", "really", "wow", "um", "", "got it", "thanks"])
def test_a_listeners_other_words_answer_nothing(text: str) -> None:
    assert not EN.answers(text)


def test_the_region_of_a_language_does_not_matter_and_an_unknown_language_has_the_common_sounds() -> None:
    assert lexicon_of("pt-BR") == lexicon_of("pt")
    assert lexicon_of("EN_us") == lexicon_of("en")
    unknown = Backchannels(lexicon_of("xh"))
    assert [unknown.kind(text) for text in ("mm-hmm", "okay", "um", "ewe", "stop")] == [
        "backchannel",
        "backchannel",
        "nothing",
        "speech",
        "speech",
    ]


def test_an_agent_may_add_words_of_its_own() -> None:
    words = Backchannels(lexicon_of("en"), extra=["roger", "Ten-four!"])
    assert EN.kind("roger") == "speech"
    assert [words.kind(text) for text in ("Roger.", "ten four", "yeah roger", "roger that is wrong")] == [
        "backchannel",
        "backchannel",
        "backchannel",
        "speech",
    ]
    assert words.answers("roger")


# --- unfinished texts ---


@pytest.mark.parametrize("text", ["ye", "i", "go", "yeah tha", "that's", "of", "yeah of cou", "under"])
def test_an_unfinished_text_may_become_a_listeners(text: str) -> None:
    assert EN.kind(text) == "speech"
    assert EN.may_become(text) == "backchannel"


@pytest.mark.parametrize(
    "text", ["put it", "not", "not now", "in a min", "I'm on", "ask your", "honey, put", "close the"]
)
def test_an_unfinished_text_may_become_a_remark_to_somebody_else(text: str) -> None:
    assert EN.may_become(text) == "aside"


@pytest.mark.parametrize(
    "text", ["sto", "no", "what", "hold", "hang", "just a", "wai", "I want", "can you", "the", "not Thursday", ""]
)
def test_other_unfinished_texts_are_not_waited_for(text: str) -> None:
    assert EN.may_become(text) is None


# --- somebody else in the room ---


@pytest.mark.parametrize(
    ("text", "aside"),
    [
        ("not now honey", "surely"),
        ("Not now, sweetheart!", "surely"),
        ("not now", "perhaps"),
        ("in a minute, mum", "surely"),
        ("honey, I'm on the phone", "surely"),
        ("I'm on the phone", "surely"),
        ("Not now honey, I'm on the phone.", "surely"),
        ("okay, put it there, thanks", "surely"),
        ("honey", "perhaps"),
        ("no that's wrong", "no"),
        ("put it on Thursday", "no"),
        ("put it in my calendar", "no"),
        ("not Thursday", "no"),
        ("in a minute I have to go", "no"),
        ("okay", "no"),
        ("", "no"),
    ],
)
def test_some_remarks_are_for_somebody_else(text: str, aside: Aside) -> None:
    assert EN.aside(text) == aside


@pytest.mark.parametrize(
    "text", ["no the other one", "okay, can I ask", "sorry what", "I'd like that", "How much is it?"]
)
def test_some_beginnings_are_for_the_agent(text: str) -> None:
    assert EN.addressed(text)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "Hi!"),
        ("en", "Oh, hello there."),
        ("en", "hey there, good morning"),
        ("de", "Ja, guten Tag."),
        ("fr", "Allô ?"),
        ("ja", "もしもし、こんにちは"),
        ("zh", "喂，你好"),
        ("ko", "네, 안녕하세요"),
        ("ar", "السلام عليكم"),
        ("hi", "नमस्ते"),
        ("es", "Hola, buenas."),
    ],
)
def test_a_greeting_greets(language: str, text: str) -> None:
    assert Backchannels(lexicon_of(language)).greets(text)


@pytest.mark.parametrize("text", ["hello can you hear me", "yes", "", "morning Dave", "hello hello what"])
def test_other_words_do_not_greet(text: str) -> None:
    assert not EN.greets(text)


# --- questions ---

ASKED: dict[str, tuple[list[str], list[str]]] = {
    "en": (
        [
            "Shall I book it?", "Shall I book it", "Would you like the morning", "You need parking?",
            "That's at three, right?", "That's at three, correct", "It is cheaper, isn't it",
            "How about three?", "Okay. Is that right?", "Ready?", "So, can I have your name?",
            "We open at nine. Does that work for you?", "Anything else?", 'He said: "Is it?"',
            "When you come by car, do you need parking?", "Are you still there?", "Thursday at three, okay?",
        ],
        [
            "We open at nine.", "What is your name?", "When would you like to come?", "How many people?",
            "Have a nice day", "Have a nice day.", "I will book it.", "", "...", "Is it? No.", "Right.",
            "Which day would you like?", "Do come again.", "Of course. The price is",
            "May I have a moment. Then we go on.",
        ],
    ),
    "de": (
        [
            "Soll ich das buchen?", "Passt Ihnen das?", "Das ist um drei, oder?", "Möchten Sie noch etwas",
        ],
        [
            "Wie heißen Sie?", "Wann möchten Sie kommen?", "Wir öffnen um neun.", "Was darf es sein?",
        ],
    ),
    "fr": (
        [
            "Est-ce que ça vous convient ?", "Vous venez demain ?", "C'est bien ça ?",
            "Voulez-vous réserver ?",
        ],
        [
            "Quel est votre nom ?", "Quand voulez-vous venir ?", "Nous ouvrons à neuf heures.",
            "Combien de personnes ?",
        ],
    ),
    "es": (
        [
            "¿Quiere que lo reserve?", "¿Le parece bien?", "Es a las tres, ¿verdad?",
        ],
        [
            "¿Cómo se llama?", "¿Cuándo quiere venir?", "Abrimos a las nueve.", "¿A qué hora?",
        ],
    ),
    "it": (
        [
            "Vuole prenotare?", "Le va bene?", "È alle tre, giusto?",
        ],
        [
            "Come si chiama?", "Quando vuole venire?", "Apriamo alle nove.", "A che ora?",
        ],
    ),
    "pt": (
        [
            "Quer que eu marque?", "Pode ser?", "É às três, certo?",
        ],
        [
            "Qual é o seu nome?", "Quando quer vir?", "Abrimos às nove.", "A que horas?",
        ],
    ),
    "nl": (
        [
            "Zal ik het boeken?", "Klopt dat?", "Dat is om drie uur, toch?",
        ],
        [
            "Wat is uw naam?", "Wanneer wilt u komen?", "We openen om negen uur.", "Hoe laat?",
        ],
    ),
    "pl": (
        [
            "Czy mam zarezerwować?", "Pasuje panu?", "To o trzeciej, prawda?",
        ],
        [
            "Jak się pan nazywa?", "Kiedy pan chce przyjść?", "Otwieramy o dziewiątej.", "O której?",
        ],
    ),
    "sv": (
        [
            "Ska jag boka det?", "Passar det?", "Det är klockan tre, eller hur?",
        ],
        [
            "Vad heter du?", "När vill du komma?", "Vi öppnar klockan nio.", "Hur många?",
        ],
    ),
    "da": (
        [
            "Skal jeg bestille det?", "Passer det?", "Det er klokken tre, ikke?",
        ],
        [
            "Hvad hedder du?", "Hvornår vil du komme?", "Vi åbner klokken ni.", "Hvor mange?",
        ],
    ),
    "tr": (
        [
            "Rezervasyon yapayım mı?", "Saat üçte, değil mi?", "Uygun mu",
        ],
        [
            "Adınız ne?", "Saat kaçta gelmek istersiniz?", "Dokuzda açıyoruz.", "Hangi gün?",
        ],
    ),
    "ja": (
        [
            "予約しましょうか？", "予約しましょうか。", "三時でよろしいですか。", "三時ですよね？",
        ],
        [
            "お名前は何ですか？", "いつがよろしいですか。", "九時に開きます。", "どの日がいいですか？",
        ],
    ),
    "zh": (
        [
            "要我帮您预约吗？", "三点可以吗", "三点，对吗？", "三点对不对？",
        ],
        [
            "您叫什么名字？", "您几点来？", "我们九点开门。", "哪一天？",
        ],
    ),
    "ko": (
        [
            "예약해 드릴까요?", "예약해 드릴까요", "세 시 맞죠?", "괜찮으세요?",
        ],
        [
            "성함이 어떻게 되세요?", "언제 오시겠어요?", "아홉 시에 엽니다.", "몇 시에 오세요?",
        ],
    ),
    "hi": (
        [
            "क्या मैं बुक कर दूँ?", "तीन बजे, ठीक है?", "क्या आप कल आएँगे",
        ],
        [
            "आपका नाम क्या है।", "आप कब आएँगे?", "हम नौ बजे खोलते हैं।", "कितने लोग?",
        ],
    ),
    "ar": (
        [
            "هل أحجز لك؟", "الساعة الثالثة، صحيح؟", "هل هذا مناسب",
        ],
        [
            "ما اسمك؟", "متى تريد أن تأتي؟", "نفتح في التاسعة.", "كم شخصا؟",
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("language", ASKED)
def test_a_yes_or_no_question_asks_and_no_other_sentence_does(language: str) -> None:
    words = Backchannels(lexicon_of(language))
    asked, told = ASKED[language]
    assert [text for text in [*asked, *told] if words.asks(text)] == asked


@pytest.mark.parametrize(
    ("heard", "upcoming", "asks"),
    [
        ("Shall I book it?", " It costs nothing.", True),
        ("Shall I bo", "ok it? It costs nothing.", True),
        ("Sh", "all I book it? It costs nothing.", False),
        ("Shall I book it? It costs", " nothing.", False),
        ("We open at nine. Shall I book", " it?", True),
        ("It takes a while. You will be", " told about it. Is that right?", False),
        ("The doctor, Dr. Bell, is in. Is that", " okay?", True),
        ("", "Shall I book it?", False),
        ("", "", False),
    ],
)
def test_a_question_asks_from_the_middle_of_its_sentence_on(heard: str, upcoming: str, asks: bool) -> None:
    assert EN.asks(heard, upcoming) is asks


# --- echo ---


@pytest.mark.parametrize(
    ("text", "repeats"),
    [
        ("open at nine", True),
        ("We OPEN at nine!", True),
        ("open it line", False),
        ("stop", False),
        ("", False),
        ("nine please", False),
    ],
)
def test_a_text_repeats_the_agent_when_most_of_its_words_are_the_agents(text: str, repeats: bool) -> None:
    assert EN.repeats(text, "We open at nine, and close at five.") is repeats


# --- the files ---


def test_a_broken_lexicon_says_what_is_wrong() -> None:
    with pytest.raises(BadLexicon, match="xx: unknown key yess"):
        read_lexicon("xx", 'yess = ["a"]')
    with pytest.raises(BadLexicon, match="xx: yes has to be a list of texts"):
        read_lexicon("xx", 'yes = "a"')
    with pytest.raises(BadLexicon, match="xx: yes has to be a list of texts"):
        read_lexicon("xx", "yes = [1]")
    with pytest.raises(BadLexicon, match="xx: "):
        read_lexicon("xx", "yes = [")


def test_an_empty_lexicon_takes_everything_for_speech() -> None:
    empty = Backchannels(read_lexicon("xx", ""))
    assert [empty.kind("yes"), empty.kind(""), empty.may_become("ye"), empty.aside("yes")] == [
        "speech",
        "nothing",
        None,
        "no",
    ]


# --- any text ---

PHRASES = sorted(" ".join(phrase) for phrase in lexicon_of("en").yes | lexicon_of("en").listener)


@given(st.sampled_from(LANGUAGES), st.text(max_size=40), st.text(max_size=40))
def test_no_text_is_too_strange(language: str, text: str, other: str) -> None:
    words = Backchannels(lexicon_of(language))
    assert words.kind(text) in ("backchannel", "stop", "speech", "nothing")
    assert words.aside(text) in ("no", "perhaps", "surely")
    words.may_become(text)
    words.answers(text)
    words.addressed(text)
    words.greets(text)
    words.asks(text, other)
    words.repeats(text, other)


@given(st.lists(st.sampled_from(PHRASES), min_size=1, max_size=5), st.sampled_from([" ", ", ", ". ", "... ", " - "]))
def test_a_listeners_words_in_any_order_are_a_listeners(phrases: list[str], between: str) -> None:
    text = between.join(phrases)
    assert EN.kind(text) == EN.kind(text.upper()) == EN.kind(text.title() + ".") == "backchannel"
    assert EN.kind(unicodedata.normalize("NFD", text)) == "backchannel"


@given(st.lists(st.sampled_from(PHRASES), max_size=3), st.sampled_from(["price", "Thursday", "booking", "seven"]))
def test_one_word_that_is_no_listeners_makes_speech(phrases: list[str], word: str) -> None:
    assert EN.kind(" ".join([*phrases, word])) == "speech"


@given(st.sampled_from(["yeah", "okay", "sure", "right", "mm", "hm", "oh"]), st.integers(0, 5), st.integers(1, 6))
def test_a_lengthened_word_is_the_same_word(word: str, at: int, times: int) -> None:
    at = min(at, len(word) - 1)
    longer = word[:at] + word[at] * (times + 2) + word[at + 1 :]
    assert EN.kind(longer) == "backchannel"
