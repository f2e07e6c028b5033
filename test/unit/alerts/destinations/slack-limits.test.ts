import { describe, expect, test } from 'bun:test'
import { cutMarkup, fitSlack } from '../../../../src/alerts/destinations/slack.ts'
import { slackFaults } from '../../../support/slack-blocks.ts'

const blocksOf = (body: unknown) => (body as { blocks: readonly { readonly type: string }[] }).blocks

describe('limits of Slack', () => {
  test('whatever a template makes is made to fit', () => {
    const text = (type: string, length: number) => ({ type, text: 'x'.repeat(length) })
    const button = { type: 'button', text: text('plain_text', 100), url: 'https://a.example' }
    const block = {
      type: 'section',
      block_id: 'same',
      text: text('mrkdwn', 5000),
      fields: Array(15).fill(text('mrkdwn', 3000)),
    }
    const fitted = fitSlack({
      text: 'ok',
      blocks: [
        { type: 'header', text: text('plain_text', 300) },
        { type: 'section', text: text('mrkdwn', 0) },
        { type: 'actions', elements: [{ ...button, url: '' }, ...Array(30).fill(button)] },
        { type: 'actions', elements: [{ ...button, url: 'javascript:x' }] },
        ...Array(60).fill(block),
      ],
    })
    expect(slackFaults(fitted)).toEqual([])
    expect(blocksOf(fitted)).toHaveLength(50)
    expect(blocksOf(fitted)[1]!.type).toBe('actions')
  })

  test('a cut leaves no half of an entity, a link or a block of code', () => {
    expect(cutMarkup('aaaaaaaa&amp;b', 14)).toBe('aaaaaaaa&amp;b'.slice(0, 14))
    expect(cutMarkup(`aaaaaaaa&amp;${'b'.repeat(20)}`, 14)).toBe('aaaaaaaa…')
    expect(cutMarkup(`see <https://a.example/x|y> ${'z'.repeat(20)}`, 20)).toBe('see …')
    expect(cutMarkup(`\`\`\`${'x'.repeat(50)}\`\`\``, 20)).toBe(`\`\`\`${'x'.repeat(13)}…\`\`\``)
  })
})
