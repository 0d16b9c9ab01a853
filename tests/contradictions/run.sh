#!/bin/sh
# run.sh ASSAY MODELS LOGS: makes a case for every contradiction of the catalogue and prints what a
# report says of each: number, how much evidence and counter-evidence it gives, what is said and
# what was found. MODELS is what the fixture tinymodel writes, LOGS what calllog writes.
set -eu
assay=$1 models=$(realpath "$2") logs=$(realpath "$3")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
cd "$work"
export XDG_CACHE_HOME="$work/cache" LC_ALL=C TZ=UTC

model() { # name: a copy of the tiny model, to be made false
    cp -r "$models/tiny-hf" "$1"
    chmod -R u+w "$1"
}

# What a report makes of it: one line for each contradiction that has the number.
show() { # number, options of assay report...
    number=$1
    shift
    "$assay" report --as-of 2026-11-25 --no-cache --no-record --format json "$@" >report.json 2>errors || true
    sed -n 's/^.*"claim":{/{/p' report.json | awk -v n="$number" '
        function text(key,  at, rest) { # a member of the canonical line, cut to be read
            at = index($0, "\"" key "\":\"")
            if (!at) return ""
            rest = substr($0, at + length(key) + 4)
            match(rest, /([^"\\]|\\.)*/)
            rest = substr(rest, 1, RLENGTH)
            gsub(/\\"/, "\"", rest)
            return length(rest) > 90 ? substr(rest, 1, 87) "..." : rest
        }
        function ids(key,  at, rest) {
            at = index($0, "\"" key "\":[")
            if (!at) return 0
            rest = substr($0, at)
            rest = substr(rest, 1, index(rest, "]"))
            return gsub(/,/, ",", rest) + 1
        }
        index($0, "\"id\":\"contradiction-" n "\"") || index($0, "\"id\":\"contradiction-" n "#") {
            printf "%2d  evidence %d, against %d  %s\n    said:  %s\n", n, ids("evidence"), ids("counter_evidence"), text("title"), text("value")
            if (text("observed") != "") printf "    found: %s\n", text("observed")
            found = 1
        }
        END { if (!found) printf "%2d  NOT FOUND\n", n }'
}

statement() { # property, value
    printf 'by: Jane Doe\ndated: 2026-11-01\nstatements:\n  - {property: %s, value: "%s"}\n' "$1" "$2" >said.yaml
}

model m1 && sed -i 's/^# Tiny Llama/# Tiny Llama 3B/' m1/README.md
show 1 --model m1
model m2 && sed -i 's/^# Tiny Llama/# Tiny Llama 0.1M/' m2/README.md
show 2 --model m2
model m3 && sed -i 's/"intermediate_size": 192/"intermediate_size": 256/' m3/config.json
show 3 --model m3
model m4 && sed -i 's/"LlamaForCausalLM"/"MistralForCausalLM"/' m4/config.json
show 4 --model m4
cp -r "$models/tiny-hf-sharded" m5 && chmod -R u+w m5 && sed -i 's/"total_size": [0-9]*/"total_size": 1/' m5/model.safetensors.index.json
show 5 --model m5
model m6 && sed -i 's/"tie_word_embeddings": true/"tie_word_embeddings": false/' m6/config.json
show 6 --model m6
model m7 && sed -i 's/"torch_dtype": "bfloat16"/"torch_dtype": "float32"/' m7/config.json
show 7 --model m7
cp "$models/tiny-q4_0.gguf" model.Q8_0.gguf
show 8 --model model.Q8_0.gguf
model m9 && sed -i 's/"model_max_length": 512/"model_max_length": 131072/' m9/tokenizer_config.json
show 9 --model m9
model m10 && sed -i 's/"eos_token_id": 2/"eos_token_id": 7/' m10/generation_config.json
show 10 --model m10
model m11 && sed -i 's/"eos_token_id": 2/"eos_token_id": 300/' m11/config.json
show 11 --model m11
model m12 && sed -i 's/assistant/robot/' m12/chat_template.jinja
show 12 --model m12
model m13 && sed -i 's/<|im_start|>assistant/<|begin_of_turn|>assistant/' m13/chat_template.jinja m13/tokenizer_config.json
show 13 --model m13
# A base with other weights, words and duties.
model base && sed -i 's/assistant/robot/' base/chat_template.jinja base/tokenizer_config.json
sed -i 's/^license: mit/license: cc-by-nc-4.0/; s/^base_model: .*/base_model: Tiny Llama/; s/^# Tiny Llama/# Elder/' base/README.md
sed -i 's/"vocab": {/"vocab": {"extra": 287, /' base/tokenizer.json
rm base/LICENSE
size=$(wc -c <base/model.safetensors)
{ head -c 4096 base/model.safetensors; tail -c 100001 base/model.safetensors; tail -c +4097 base/model.safetensors; } | head -c "$size" >turned
mv turned base/model.safetensors
model derived && sed -i 's/^base_model: .*/base_model: Elder/' derived/README.md
show 14 --model derived --base base
show 15 --model derived --base base
model m16 && sed -i 's/^base_model:.*/&\nbase_model_relation: quantized/' m16/README.md
show 16 --model m16
mkdir m17
header='{"base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight":{"dtype":"F32","shape":[4,64],"data_offsets":[0,1024]},"base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight":{"dtype":"F32","shape":[64,4],"data_offsets":[1024,2048]}}'
{ printf "\\$(printf %o ${#header})\\0\\0\\0\\0\\0\\0\\0%s" "$header"; head -c 2048 /dev/zero; } >m17/adapter_model.safetensors
echo '{"peft_type":"LORA","r":8,"lora_alpha":16,"target_modules":["q_proj"],"base_model_name_or_path":"example/tiny"}' >m17/adapter_config.json
show 17 --model m17
show 18 --model derived --base base
show 19 --model derived --base base
model m20 && sed -i 's/^license: mit/license: apache-2.0/' m20/README.md
show 20 --model m20

# Data sets and training.
data() { # further lines of its card
    rm -rf data && mkdir data
    echo '{"text": "On 2026-06-01 the ferry ran again."}' >data/train.jsonl
    printf 'name: ferries\n%s\n' "$1" >data/dataset.yaml
}
data 'licence: cc-by-nc-4.0'
show 21 --model "$models/tiny-hf" --datasets data
data ''
rm data/dataset.yaml
printf '{"@type":"sc:Dataset","name":"ferries","distribution":[{"@type":"cr:FileObject","name":"train.jsonl","contentUrl":"train.jsonl","sha256":"%064d"}]}' 0 >data/croissant.json
show 22 --model "$models/tiny-hf" --datasets data
data 'rows: 5'
show 23 --model "$models/tiny-hf" --datasets data
printf 'tokens: 1000000\ncompute: {flops: 1e18}\nfinished: 2026-11-10\n' >training.yaml
show 24 --model "$models/tiny-hf" --training training.yaml
data ''
statement human.latest-acquisition 2026-03-31
show 25 --model "$models/tiny-hf" --datasets data --attestation said.yaml
model m26 && sed -i 's/^pipeline_tag: .*/pipeline_tag: image-text-to-text/' m26/README.md
show 26 --model m26
data 'synthetic: questions written by a model'
statement human.synthetic-data 'No synthetic data was used.'
show 27 --model "$models/tiny-hf" --datasets data --attestation said.yaml
statement human.user-data 'None.'
show 27 --log "$logs/cases/log" --attestation said.yaml
model m28 && sed -i 's/"transformers_version"/"auto_map": {"AutoModel": "code.Model"}, &/' m28/config.json
sed -i 's/^tags:/tags:\n- safetensors/' m28/README.md
show 28 --model m28
model m29 && sed -i 's/^tags:/model-index:\n- name: tiny\n  results:\n  - dataset: {type: text, name: ferries}\n    metrics:\n    - {type: accuracy, value: 0.91}\ntags:/' m29/README.md
printf -- '- dataset: {id: example/ferries, task_id: default}\n  value: 84.2\n' >results.yaml
show 29 --model m29 --document results.yaml

# What is served, by the log.
show 30 --model "$models/tiny-hf" --log "$logs/cases/log"
statement human.sampling 'temperature 0.7'
show 30 --log "$logs/cases/log" --attestation said.yaml
statement human.system-prompt 'Answer truthfully.'
show 31 --log "$logs/cases/log" --document "$logs/cases/request.disclosure.json" --attestation said.yaml
statement human.log-retention '180 days'
show 32 --log "$logs/cases/log" --attestation said.yaml

# Documents against each other.
"$assay" report --model "$models/tiny-hf" --as-of 2026-11-01 --no-cache --format cyclonedx --format spdx --output boms >/dev/null
sed -i 's/"id": *"MIT"/"id":"GPL-3.0-only"/' boms/report.cdx.json
show 33 --model "$models/tiny-hf" --document boms/report.spdx.json --document boms/report.cdx.json --training training.yaml
