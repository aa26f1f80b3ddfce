/** An MCP server that answers at once: over stdio, or over HTTP when asked for a port. What is added to it is the tap's. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createInterface } from 'node:readline'

const text = 'The quick brown fox jumps over the lazy dog. '.repeat(20)
const answerTo = (line: string): string => {
  const { id } = JSON.parse(line) as { id: number }
  return JSON.stringify({ jsonrpc: '2.0', id, result: { content: [{ type: 'text', text }] } })
}

if (process.argv[2] === 'http') {
  const server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8')
    request.on('data', (chunk: string) => {
      body += chunk
    })
    request.on('end', () => response.writeHead(200, { 'content-type': 'application/json' }).end(answerTo(body)))
  })
  server.listen(0, '127.0.0.1', () => process.stdout.write(`${(server.address() as AddressInfo).port}\n`))
} else {
  for await (const line of createInterface({ input: process.stdin })) process.stdout.write(`${answerTo(line)}\n`)
}
