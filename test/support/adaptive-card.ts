/**
 * JSON Schema of the messages that Teams workflows take. The card follows the public documentation of Adaptive Cards 1.4
 * for the elements that alerts use; every unknown member is an error. Beyond 1.4 it allows what Microsoft documents for
 * Teams and what older clients leave out of account: `msteams`, `CodeBlock`, and of 1.5 `role`, `tooltip`, `style: heading`.
 */
import Ajv from 'ajv'
import addFormats from 'ajv-formats'

const ref = (name: string) => ({ $ref: `#/$defs/${name}` })
const text = { type: 'string', minLength: 1 }

function element(type: string, required: readonly string[], properties: object) {
  const common = {
    type: { const: type },
    id: { type: 'string' },
    isVisible: { type: 'boolean' },
    height: { enum: ['auto', 'stretch'] },
    separator: { type: 'boolean' },
    spacing: { enum: ['none', 'small', 'default', 'medium', 'large', 'extraLarge', 'padding'] },
  }
  return {
    type: 'object',
    required: ['type', ...required],
    additionalProperties: false,
    properties: { ...common, ...properties },
  }
}

const COLORS = ['default', 'dark', 'light', 'accent', 'good', 'warning', 'attention']

const SCHEMA = {
  ...element('message', ['attachments'], {}),
  properties: {
    type: { const: 'message' },
    attachments: { type: 'array', minItems: 1, maxItems: 1, items: ref('attachment') },
  },
  $defs: {
    attachment: {
      type: 'object',
      additionalProperties: false,
      required: ['contentType', 'content'],
      properties: {
        contentType: { const: 'application/vnd.microsoft.card.adaptive' },
        contentUrl: { type: 'null' },
        content: ref('card'),
      },
    },
    card: {
      type: 'object',
      additionalProperties: false,
      required: ['type', 'version', 'body'],
      properties: {
        $schema: { const: 'http://adaptivecards.io/schemas/adaptive-card.json' },
        type: { const: 'AdaptiveCard' },
        version: { enum: ['1.0', '1.1', '1.2', '1.3', '1.4'] },
        msteams: { type: 'object', additionalProperties: false, properties: { width: { const: 'Full' } } },
        fallbackText: text,
        body: { type: 'array', minItems: 1, items: ref('element') },
        actions: { type: 'array', items: ref('action') },
      },
    },
    element: {
      type: 'object',
      required: ['type'],
      discriminator: { propertyName: 'type' },
      oneOf: ['TextBlock', 'FactSet', 'ActionSet', 'CodeBlock', 'Container', 'ColumnSet', 'Image'].map(ref),
    },
    TextBlock: element('TextBlock', ['text'], {
      text,
      color: { enum: COLORS },
      fontType: { enum: ['default', 'monospace'] },
      horizontalAlignment: { enum: ['left', 'center', 'right'] },
      isSubtle: { type: 'boolean' },
      maxLines: { type: 'number' },
      size: { enum: ['default', 'small', 'medium', 'large', 'extraLarge'] },
      weight: { enum: ['default', 'lighter', 'bolder'] },
      wrap: { type: 'boolean' },
      style: { enum: ['default', 'heading'] },
    }),
    FactSet: element('FactSet', ['facts'], {
      facts: {
        type: 'array',
        minItems: 1,
        items: {
          type: 'object',
          additionalProperties: false,
          required: ['title', 'value'],
          properties: { type: { const: 'Fact' }, title: text, value: text },
        },
      },
    }),
    ActionSet: element('ActionSet', ['actions'], {
      actions: { type: 'array', minItems: 1, maxItems: 6, items: ref('action') },
    }),
    CodeBlock: element('CodeBlock', ['codeSnippet'], {
      codeSnippet: text,
      language: { enum: ['PlainText', 'Json', 'Sql', 'Xml'] },
      startLineNumber: { type: 'number' },
    }),
    Container: element('Container', ['items'], {
      items: { type: 'array', items: ref('element') },
      style: { enum: ['default', 'emphasis', 'good', 'attention', 'warning', 'accent'] },
      bleed: { type: 'boolean' },
    }),
    ColumnSet: element('ColumnSet', [], { columns: { type: 'array', items: ref('Column') } }),
    Column: element('Column', [], {
      items: { type: 'array', items: ref('element') },
      width: { type: ['string', 'number'] },
    }),
    Image: element('Image', ['url'], {
      url: { type: 'string', format: 'uri' },
      altText: { type: 'string' },
      size: { enum: ['auto', 'stretch', 'small', 'medium', 'large'] },
      style: { enum: ['default', 'person'] },
    }),
    action: {
      type: 'object',
      additionalProperties: false,
      required: ['type', 'title', 'url'],
      properties: {
        type: { const: 'Action.OpenUrl' },
        id: { type: 'string' },
        title: text,
        url: { type: 'string', format: 'uri' },
        iconUrl: { type: 'string', format: 'uri' },
        style: { enum: ['default', 'positive', 'destructive'] },
        role: { enum: ['button', 'link'] },
        tooltip: { type: 'string' },
      },
    },
  },
}

const ajv = new Ajv({ allErrors: true, discriminator: true, strict: false })
addFormats(ajv)
const validate = ajv.compile(SCHEMA)

/** The parts of a message that Teams refuses or does not show; empty when the message is right. */
export function teamsFaults(message: unknown): readonly string[] {
  const size = Buffer.byteLength(JSON.stringify(message))
  const tooLarge = size > 28 * 1024 ? [`${size} bytes, 28 KB allowed`] : []
  if (validate(message)) return tooLarge
  return [...tooLarge, ...(validate.errors ?? []).map(({ instancePath, message }) => `${instancePath}: ${message}`)]
}
