// JSON with comments, and the place of everything in it: the only file that names the package which reads it.
import { getNodeValue, type Node, type ParseError, parseTree, printParseErrorCode } from "npm:jsonc-parser@^3.3.1";

/** A value in a text. */
export interface Place {
  readonly value: unknown;
  /** Where it begins, in UTF-16 units. */
  readonly offset: number;
  /** Of an object: its properties, the name first, in their order. */
  readonly properties: readonly (readonly [name: Place, value: Place])[];
}

/** What is wrong with a text, and where. */
export interface SyntaxFault {
  readonly message: string;
  readonly offset: number;
}

/** The value that a text says, or its first fault. Comments and a comma behind the last item are fine. */
export function readJson(text: string): Place | SyntaxFault {
  const errors: ParseError[] = [], tree = parseTree(text, errors, { allowTrailingComma: true });
  const [fault] = errors;
  return fault ? { message: messageOf(fault), offset: fault.offset } : placeOf(tree!);
}

function placeOf(node: Node): Place {
  const pairs = node.type === "object" ? node.children ?? [] : [];
  return {
    value: getNodeValue(node),
    offset: node.offset,
    properties: pairs.map(({ children = [] }) => [placeOf(children[0]!), placeOf(children[1]!)] as const),
  };
}

/** Such as "Comma expected". */
function messageOf(fault: ParseError): string {
  const words = printParseErrorCode(fault.error).replaceAll(/(?<=[a-z])[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
  return `This is no JSON: ${words.toLowerCase()}`;
}
