// Lets long words of inline code break after `::`, `_`, `/` and the like, and keeps short ones, such
// as `--runs`, in one piece.
"use strict";

const BREAKS = /(?<=\w)(?:::|[_\/,(]+|-|\.(?=\w{5}))/g;
// Longest word that stays in one piece.
const SHORT = 16;

for (const code of document.querySelectorAll(".content code:not(pre > code)")) {
  if (code.querySelector("*")) {
    continue;
  }
  const words = code.textContent.split(/( +)/);
  code.textContent = "";
  for (const word of words) {
    if (/^ *$/.test(word)) {
      code.append(word);
      continue;
    }
    const pieces = word.length > SHORT ? word.replace(BREAKS, "$&\n").split("\n") : [word];
    pieces.filter(Boolean).forEach((piece, index) => {
      const span = document.createElement("span");
      span.className = "whole";
      span.textContent = piece;
      code.append(...(index ? [document.createElement("wbr"), span] : [span]));
    });
  }
}
