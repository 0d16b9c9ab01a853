// OpenAI's JavaScript client, unchanged, against a base URL: prints one line a check.
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
await check("javascript_error", async () => {
  try {
    await client.chat.completions.create({ model: "400", messages });
  } catch (error) {
    return error.status === 400;
  }
  return false;
});
