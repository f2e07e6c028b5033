/** Files of the pages: who gets them compressed. */
import { describe, expect, test } from 'bun:test'
import { assetAnswer, assetPath } from '../../../src/console/assets.ts'
import { takesGzip } from '../../../src/http/middleware/compress.ts'

const TAKEN = ['gzip', 'gzip, deflate, br', 'br;q=1.0, gzip;q=0.8', 'GZIP', 'deflate,gzip;q=0.001']
const REFUSED = [null, '', 'br', 'gzip;q=0', 'br, gzip; q=0.00, deflate', 'gzipped']

describe('gzip', () => {
  test.each(TAKEN)('%p takes it', (header) => expect(takesGzip(header)).toBe(true))
  test.each(REFUSED)('%p does not', (header) => expect(takesGzip(header)).toBe(false))

  test('a browser that refuses it gets files of the pages as they are', async () => {
    const [, , hash = '', name = ''] = assetPath('frame.js').split('/')
    const plain = assetAnswer(hash, name, 'br, gzip;q=0')
    expect(plain?.headers.has('content-encoding')).toBe(false)
    const packed = assetAnswer(hash, name, 'gzip')
    expect(packed?.headers.get('content-encoding')).toBe('gzip')
    const bytes = new Uint8Array((await packed?.arrayBuffer()) ?? new ArrayBuffer(0))
    expect(new TextDecoder().decode(Bun.gunzipSync(bytes))).toBe((await plain?.text()) ?? '')
  })
})
