// Messages of any length made to cost more than they should: every way in which a scan could be made to start over.

export const START = 'REGISTER sip:h SIP/2.0\r\n';
/** Text of about `length` bytes: what comes before, the unit as often as it fits, what comes behind. */
const repeated =
  (before: string, unit: string, behind = '\r\n\r\n') =>
  (length: number) =>
    before + unit.repeat(Math.ceil(length / unit.length)) + behind;

export const HOSTILE: Readonly<Record<string, (length: number) => string>> = {
  'a long body': repeated(`${START}\r\n`, 'x'),
  'leading CRLFs': repeated('', '\r\n', START),
  'a long request URI': repeated('REGISTER sip:', 'a', ' SIP/2.0\r\n\r\n'),
  'many @ in a URI': repeated('REGISTER sip:', '@', ' SIP/2.0\r\n\r\n'),
  'many rows': repeated(START, 'a:\r\n', '\r\n'),
  'bad lines': repeated(START, 'a\r\n', '\r\n'),
  folds: repeated(`${START}a: `, '\r\n ', '\r\n\r\n'),
  'bare CRs': repeated(START, '\r', '\r\n\r\n'),
  'bare LFs in a value': repeated(START, 'a:\n', '\r\n\r\n'),
  'control characters': repeated(`${START}a: `, '\0'),
  'quotes and controls': repeated(`${START}a: `, '"\\\0'),
  'spaces before a colon': repeated(`${START}a`, ' ', ':\r\n\r\n'),
  'trailing spaces': repeated(`${START}Contact: <sip:a@b>`, ' '),
  Vias: repeated(`${START}Via: SIP/2.0/UDP h`, ', SIP/2.0/UDP h'),
  'bad lower Vias': repeated(`${START}Via: SIP/2.0/UDP h`, ',;'),
  'open quotes in Vias': repeated(`${START}Via: SIP/2.0/UDP h`, ', SIP/2.0/UDP h;a="'),
  'broken quotes in Vias': repeated(`${START}Via: SIP/2.0/UDP h`, ', SIP/2.0/UDP h;a="\\é'),
  'Via rows': repeated(START, 'v:"\r\n', '\r\n'),
  'spaces in a Via': repeated(`${START}Via: SIP/2.0/UDP`, ' '),
  semicolons: repeated(`${START}Contact: <sip:a@b>`, ';'),
  parameters: repeated(`${START}Contact: <sip:a@b>`, ';a=b'),
  'one long parameter': repeated(`${START}Contact: <sip:a@b>;a=`, 'b'),
  'one long quoted string': repeated(`${START}Contact: "`, '\\"'),
  'open brackets': repeated(`${START}Contact: `, '<'),
  Contacts: repeated(`${START}Contact: *`, ',*'),
  stars: repeated(`${START}Contact: `, '*'),
  'Contact rows': repeated(START, 'm:*\r\n', '\r\n'),
  'colons in a host': repeated(`${START}Contact: <sip:a@[`, ':', ']>\r\n\r\n'),
  'URI parameters': repeated(`${START}Contact: <sip:a@b`, ';a', '>\r\n\r\n'),
  'URI headers': repeated(`${START}Contact: <sip:a@b?`, 'a=b&', '>\r\n\r\n'),
  escapes: repeated(`${START}Contact: <sip:`, '%41', '@b>\r\n\r\n'),
  digits: repeated(`${START}CSeq: `, '0', ' REGISTER\r\n\r\n'),
  'option tags': repeated(`${START}Require: a`, ',a'),
  commas: repeated(`${START}Supported: `, ','),
};
