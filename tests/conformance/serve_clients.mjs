// OpenAI's JavaScript client, unchanged, against a base URL: prints one line a check. The argument says
// who answers there: the proxy with its stub, or the bundled engine.
import OpenAI from "openai";

const client = new OpenAI({ apiKey: process.env.KEY, baseURL: process.env.BASE, maxRetries: 0 });
const messages = [{ role: "user", content: "hi" }];

async function check(name, run) {
  try {
    console.log((await run()) ? `[       OK ] ${name}` : `[  FAILED  ] ${name}`);
  } catch (error) {
    console.log(`[  FAILED  ] ${name}: ${error}`);
  }
}

async function refusal(ask) {
  try {
    await client.chat.completions.create(ask);
  } catch (error) {
    return error;
  }
  return {};
}

async function proxy() {
  await check("javascript_chat", async () => {
    const c = await client.chat.completions.create({ model: "ok", messages });
    return c.choices[0].message.content.includes("Paris") && c.usage.completion_tokens === 32;
  });
  await check("javascript_chat_streamed", async () => {
    let text = "";
    for await (const part of await client.chat.completions.create({ model: "slow-3-20", messages, stream: true }))
      text += part.choices[0]?.delta?.content ?? "";
    return text === "w\u00f6rd0 w\u00f6rd1 w\u00f6rd2 ";
  });
  await check("javascript_responses_streamed", async () => {
    let text = "";
    for await (const event of await client.responses.create({ model: "responses", input: "hi", stream: true }))
      if (event.type === "response.output_text.delta") text += event.delta;
    return text === "Paris.";
  });
  await check("javascript_error", async () => (await refusal({ model: "400", messages })).status === 400);
}

const tools = [{ type: "function", function: { name: "weather", parameters: { type: "object", properties: {} } } }];
const call = { model: "tools", messages: [{ role: "user", content: "a5" }], tools, max_tokens: 1, logit_bias: { 3: 100 } };

async function engine() {
  const ask = { model: "orrin", messages, max_tokens: 12, seed: 3, n: 2 };
  await check("javascript_engine_two_answers_streamed", async () => {
    const whole = await client.chat.completions.create({ ...ask, logprobs: true, top_logprobs: 2 });
    const said = ["", ""];
    for await (const part of await client.chat.completions.create({ ...ask, stream: true }))
      for (const c of part.choices) said[c.index] += c.delta.content ?? "";
    const first = whole.choices[0].logprobs.content;
    return said.every((text, i) => text === whole.choices[i].message.content) && first[0].top_logprobs.length === 2;
  });
  await check("javascript_engine_tool_call", async () => {
    const c = (await client.chat.completions.create(call)).choices[0];
    return c.finish_reason === "tool_calls" && c.message.tool_calls[0].function.name === "weather";
  });
  await check("javascript_engine_parsed_answer", async () => {
    const schema = { type: "object", properties: { place: { enum: ["mill", "ford"] } }, required: ["place"], additionalProperties: false };
    const response_format = { type: "json_schema", json_schema: { name: "visit", strict: true, schema } };
    const c = await client.chat.completions.parse({ model: "orrin", messages, max_tokens: 60, response_format });
    return ["mill", "ford"].includes(JSON.parse(c.choices[0].message.content).place);
  });
  await check("javascript_engine_tool_call_required", async () => {
    const c = await client.chat.completions.create({ ...call, max_tokens: 100, logit_bias: { 10: -100, 11: -100 }, tool_choice: "required" });
    return JSON.stringify(JSON.parse(c.choices[0].message.tool_calls[0].function.arguments)) === "{}";
  });
  await check("javascript_engine_tool_call_streamed", async () => {
    const last = await client.chat.completions.stream(call).finalChatCompletion();
    return last.choices[0].message.tool_calls[0].function.name === "weather";
  });
  await check("javascript_engine_embeddings", async () => {
    const e = await client.embeddings.create({ model: "orrin", input: ["the mill", "the heron"] });
    return e.data.length === 2 && e.data[1].embedding.length === 128;
  });
  await check("javascript_engine_responses_streamed", async () => {
    const stream = client.responses.stream({ model: "orrin", input: "hi", max_output_tokens: 12 });
    let text = "";
    stream.on("response.output_text.delta", (event) => (text += event.delta));
    return (await stream.finalResponse()).output_text === text;
  });
  await check("javascript_error", async () => (await refusal({ ...ask, n: 999 })).param === "n");
}

await (process.argv[2] === "engine" ? engine() : proxy());
