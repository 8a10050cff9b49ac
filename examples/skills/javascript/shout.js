// `shout`: a skill in JavaScript. What is thrown becomes the error of the WIT function's `result`.
export function shout(text) {
  if (text === "") {
    throw "`text` is empty; there is nothing to shout";
  }
  return `${text.toUpperCase()}!`;
}
