/* The words of texts: how they are folded, the forms of a word, and where each word stands. */

const isPlain = (text) => /^[\x00-\x7f]*$/.test(text);
/* Ignore case and accents. Most captions are plain ASCII and have no accents. */
const fold = (text) => (isPlain(text) ? text : text.normalize("NFKD").replace(/\p{M}/gu, "")).toLowerCase().replaceAll("ß", "ss");
/* Scripts without spaces: each character is a word, and what is written together is a phrase. */
const UNSPACED = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/gu;
/* Words with one space between them. Most spaces stay as they are: a million replacements would take half a second. */
function separate(folded) {
  const marks = isPlain(folded) ? /[^a-z0-9 \x01][^a-z0-9\x01]*/g : /[^\p{L}\p{N} \x01][^\p{L}\p{N}\x01]*/gu;
  return folded.replace(UNSPACED, " $& ").replace(marks, " ").replace(/ {2,}/g, " ");
}
const wordsIn = (text) => separate(fold(text).replaceAll("\x01", " ")).split(" ").filter(Boolean);

const IRREGULAR = {
  children: "child", people: "person", men: "man", women: "woman", mice: "mouse", geese: "goose", feet: "foot", teeth: "tooth", ran: "run", swam: "swim",
  ate: "eat", rode: "ride", sat: "sit", stood: "stand", wore: "wear", held: "hold", flew: "fly", sang: "sing",
};
const ENDINGS = [
  [/ies$/, "y", "ie"], [/ves$/, "f", "fe", "ve"], [/([sxzo]|ch|sh)es$/, "$1", "$1e"], [/([^su])s$/, "$1"],
  [/(?<=[aeiouy].*)(ing|(?<!e)ed)$/, "", "e"],
];
/* What a word may be a form of: words with one of these in common are the same to a search. An ending that another language
   has by chance only adds a form that no word has. */
function formsOf(word) {
  if (IRREGULAR[word]) return [IRREGULAR[word]];
  const ending = word.length > 3 && !/\d/.test(word) && ENDINGS.find(([pattern]) => pattern.test(word));
  if (!ending) return [word];
  const [pattern, ...others] = ending, forms = others.map((other) => word.replace(pattern, other));
  return [word, ...forms, forms[0].replace(/([bdgmnprt])\1$/, "$1")];
}

/* Where a word stands says how well it fits. */
const WHOLE = 4, BEGUN = 3, NAMED = 2, AROUND = 1;
const LEVELS = [[WHOLE, BEGUN], [NAMED, NAMED]]; // in the first column of texts and in the second: the whole word, its beginning

/* An index of two columns of texts: what is said of each thing, and what it is named by. */
function makeIndex(columns) {
  const places = new Map(); // of each word, in each column
  const texts = columns.map((column, number) => {
    // Joined to one text, because browsers fold that a hundred times faster than one by one.
    const joined = column.map((text) => ` ${text.replaceAll("\x01", " ")} `).join("\x01");
    const separated = separate(fold(joined)).split("\x01");
    separated.forEach((text, thing) => {
      for (const word of text.split(" ")) {
        if (!word) continue;
        let found = places.get(word);
        if (!found) places.set(word, (found = [[], []]));
        const list = found[number];
        if (list[list.length - 1] !== thing) list.push(thing);
      }
    });
    return separated;
  });
  const words = [...places.keys()].sort(), byForm = new Map();
  for (const word of words) {
    for (const form of formsOf(word)) byForm.has(form) ? byForm.get(form).push(word) : byForm.set(form, [word]);
  }
  return { size: columns[0].length, texts, places, words, byForm };
}

/* How well each thing of the index fits words that stand one after the other; 0 is not at all. For `isStrict` only whole words
   in the first column count, and little; a quoted word has no other forms. */
function rate({ size, texts, places, words, byForm }, phrase, isQuoted, isStrict) {
  const levels = new Uint8Array(size);
  const raise = (word, level) => {
    places.get(word).forEach((list, column) => {
      if (isStrict && column) return;
      const raised = LEVELS[column][isStrict ? 1 : level];
      for (const thing of list) if (levels[thing] < raised) levels[thing] = raised;
    });
  };
  const last = phrase.at(-1), forms = isQuoted ? [last] : formsOf(last);
  if (phrase.length === 1) {
    if (!isStrict) for (let at = firstFrom(words, last); words[at]?.startsWith(last); at++) raise(words[at], 1);
    for (const word of isQuoted ? (places.has(last) ? [last] : []) : forms.flatMap((form) => byForm.get(form) ?? [])) raise(word, 0);
    return levels;
  }
  const begin = ` ${phrase.slice(0, -1).join(" ")} `, hasLast = rate({ size, texts, places, words, byForm }, [last], isQuoted);
  (places.get(phrase[0]) ?? []).forEach((list, column) => {
    for (const thing of list) {
      const text = texts[column][thing];
      if (!hasLast[thing] || !text.includes(begin)) continue;
      if (forms.some((form) => text.includes(`${begin}${form} `))) levels[thing] = Math.max(levels[thing], LEVELS[column][0]);
      else if (text.includes(begin + last)) levels[thing] = Math.max(levels[thing], LEVELS[column][1]);
    }
  });
  return levels;
}

/* The index of the first word that is not before `word`. */
function firstFrom(words, word) {
  let low = 0, high = words.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (words[middle] < word) low = middle + 1;
    else high = middle;
  }
  return low;
}
