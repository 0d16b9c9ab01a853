#!/bin/sh
# demo.sh ASSAY MAKERS [MODEL]: inspects MODEL, or builds tiny models in build/demo
# and walks through what Assay says about them. Each step shows the command typed.
set -eu
assay=$(realpath "$1") makers=$(realpath "$2") model=${3:-}

bold= plain=
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
    bold=$(printf '\033[1m') plain=$(printf '\033[0m')
fi
step=0
headline() {
    step=$((step + 1))
    printf '\n%s== %d. %s ==%s\n' "$bold" "$step" "$1" "$plain"
}
typed() { printf '%s$ %s%s\n\n' "$bold" "$1" "$plain"; }
show() { # the command as a reader would type it
    typed "$1"
    sh -c "$1" || printf '\n(exit status %d)\n' $?
}

# What a reader would type finds this build first.
PATH=$(dirname "$assay"):$PATH
export PATH

if [ -n "$model" ]; then
    typed "assay inspect $model"
    exec assay inspect "$model"
fi

demo=build/demo
rm -rf "$demo"
mkdir -p "$demo"
"$makers/tinymodel" "$demo/models"
cp models/bundled/orrin-q8_0.gguf "$demo/models/orrin.gguf"
cd "$demo/models"
XDG_CACHE_HOME=$(cd .. && pwd)/cache
export XDG_CACHE_HOME

cat <<TEXT
Assay reads open model files without executing them and says what they are.
No MODEL was given, so a tiny llama with seeded weights stands in: as GGUF in four
element types and as Hugging Face folders. With a model of your own:
    make demo MODEL=path/to/model.gguf
TEXT

headline 'What is this file?'
show 'assay inspect tiny-q4_0.gguf'
headline 'What is this folder, as on Hugging Face?'
show 'assay inspect tiny-hf'
headline 'Every tensor, and what its numbers look like'
show 'COLUMNS=110 assay inspect --tensors --stats tiny-q8_0.gguf | sed -n "/^Tensors/,/^Findings/p"'
headline 'A manifest that coreutils alone can verify'
show 'assay digest tiny-hf | tee ../manifest'
show '(cd tiny-hf && sha256sum -c ../../manifest)'
headline 'How far did the quantisation go?'
show 'assay diff tiny-f16.gguf tiny-q4_0.gguf'
headline 'Is the GGUF file what the folder was?'
show 'assay diff tiny-hf tiny-f32.gguf'
headline 'What did the fine-tuning touch?'
show 'assay diff tiny-hf tiny-hf-tuned'
headline 'A download that broke off'
show 'head -c 50000 tiny-q4_0.gguf >cut.gguf'
show 'assay inspect cut.gguf'
headline 'The same facts for programs'
show 'assay inspect --json tiny-q4_0.gguf | head -n 24'

headline 'The gate: a good model and a bad one'
cat >policy.yaml <<'POLICY'
version: 1
name: intake
allow: {formats: [safetensors, GGUF], licences: [MIT, Apache-2.0]}
require: {card: [license, base_model]}
POLICY
show 'cat policy.yaml'
show 'assay check tiny-hf --policy policy.yaml'
cp -r tiny-hf bad-hf
token=hf_XkQvTzWbYpLmNrJd # made up, and put together so that no scanner stops at this script
token=${token}HcGsFaEuMiKoBwVxPq
sed -i 's/"torch_dtype": "bfloat16"/"torch_dtype": "float32", "token": "'$token'"/' bad-hf/config.json
sed -i 's/^license: mit/license: cc-by-nc-4.0/' bad-hf/README.md
show 'assay check bad-hf --policy policy.yaml --sarif bad.sarif --junit bad.xml'
headline 'Sign a model, and notice a byte that was changed'
show '(umask 077 && openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out release.key) && openssl pkey -in release.key -pubout -out release.pub'
show 'assay sign tiny-hf --key release.key --output tiny-hf.sig'
show 'assay verify tiny-hf --signature tiny-hf.sig --key release.pub'
show 'assay verify bad-hf --signature tiny-hf.sig --key release.pub'

headline 'An audit log'
show 'assay log init audit --origin example.org/audit | tee audit.txt'
KEY=$(sed -n 's/^  verifier key //p' audit.txt)
export KEY
printf '\nKEY is that verifier key from here on.\n'
headline 'Enrol the model: one durable entry'
show 'assay record tiny-hf --log audit --source https://example.org/tiny'
show 'assay log show audit'
headline 'A receipt, verified offline by whoever has the key'
show 'assay log prove audit 2 --output 2.tlog-proof'
show 'assay verify 2.tlog-proof --key "$KEY"'
headline 'The whole log, against a checkpoint that was kept elsewhere'
show 'assay log checkpoint audit | tee kept.checkpoint'
show 'assay record tiny-q4_0.gguf --log audit'
show 'assay log verify audit --key "$KEY" --older kept.checkpoint'
headline 'One byte of history changed'
show 'cp -r audit tampered && sed -i s,example.org/tiny,example.org/tony, tampered/log.db'
show 'assay log verify tampered --key "$KEY"'
headline 'An answer on record'
show 'assay run orrin.gguf "Who are you?" --log audit'
headline 'Its proof: the answer is computed again, to the bit'
show 'assay replay audit --model orrin.gguf'
headline 'Other weights cannot pass for them'
show 'assay replay audit --model tiny-q4_0.gguf'
headline 'A sample that anybody can draw again'
show 'assay log sample audit --seed 2026-Q4 --n 2'
headline 'The bundled model: every step of its training is on record'
ln -s ../../../models/bundled orrin
show 'assay inspect orrin/orrin-q8_0.gguf'
show 'assay log verify orrin/log --key "$(cat orrin/log.vkey)"'
headline 'Its first steps, computed again'
show 'assay replay --training orrin/log --folder orrin --steps 20 --no-record'
headline 'Serve: every call on record before its answer leaves'
"$makers/upstream" 18787 >/dev/null 2>&1 & upstream=$!
assay serve --log audit --upstream http://127.0.0.1:18787/v1 --listen 127.0.0.1:18788 2>serve.log & server=$!
trap 'kill $upstream $server 2>/dev/null || :' EXIT
tries=0
until grep -q listening serve.log || [ $tries -ge 50 ]; do sleep 0.1; tries=$((tries + 1)); done
printf 'assay serve stands in front of a small upstream now.\n\n'
show "curl -s -D - http://127.0.0.1:18788/v1/chat/completions -d '{\"model\":\"ok\",\"messages\":[]}'"
printf '\n'
show "curl -sN http://127.0.0.1:18788/v1/chat/completions -d '{\"model\":\"slow-3-200\",\"messages\":[],\"stream\":true}'"
headline 'What was recorded of the stream, for its caller, verified offline'
show 'curl -s http://127.0.0.1:18788/v1/receipts/chatcmpl-stream > call.receipt.json'
show 'assay verify call.receipt.json --key "$KEY"'
kill $server && wait $server || :
kill $upstream
show 'assay log query audit --kind call-intent --kind call-window --kind call-outcome'
headline 'A report in which every sentence carries its proof'
show 'assay report --framework eu-ai-act-gpai --framework activity --model tiny-hf --log audit --format html --format json --output report'
show 'assay verify report/report.json --key "$KEY" --log audit --model tiny-hf'
printf '\nOpen %s/report/report.html in a browser: its own script recomputes the proofs.\n' "$demo/models"
printf '\nModels and log stay in %s.\n' "$demo/models"
