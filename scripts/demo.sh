#!/usr/bin/env bash
# The tour that `make demo` gives: train on the corpus in data/, score, translate, draw the attention.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH"
run=runs/demo

say() { printf '\n== %s\n' "$*"; }

if [ -e "$run" ]; then
  say "Removing $run, left by an earlier demo"
  rm -rf "$run"
fi

say "Training, some three minutes: seq2seq train configs/demo.yaml --run $run   (log: $run/train.log)"
seq2seq train configs/demo.yaml --run "$run"

say "Scoring on the test set: seq2seq evaluate $run"
seq2seq evaluate "$run"

say "Translating: seq2seq translate $run \"I am a student.\" ..."
sentences=(
  "I am a student."
  "The old woman is reading a book in the garden."
  "We did not see the black cat."
  "Where are my friends?"
  "We bought some flowers and we gave them to her."
  "The car that Julie washed was not very clean."
)
translations=$(seq2seq translate "$run" "${sentences[@]}")
number=0
while IFS= read -r translation; do
  printf '  %s\n    -> %s\n' "${sentences[number]}" "$translation"
  number=$((number + 1))
done <<<"$translations"

say "Drawing the attention: seq2seq attention $run \"${sentences[5]}\" --output $run/attention.png"
seq2seq attention "$run" "${sentences[5]}" --output "$run/attention.png"

cat <<EOF

== Done. In $run:
  config.yaml          every setting of this run
  model.safetensors    the best weights
  metrics.jsonl        losses and scores along the way
  learning_curves.png  the same as a picture
  attention.png        what the decoder looked at, word by word

Try next (after \`source .venv/bin/activate\`):
  seq2seq translate $run "Marie bought a new car and she washed it."
  seq2seq attention $run "Marie bought a new car and she washed it."   (in the terminal)
  seq2seq train configs/demo.yaml model.attention.score=scaled_dot --run runs/dot
  and README.md: your own corpus, Multi30k, the other attentions
EOF
