// Joins with the answer of POST /v1/realtime/sessions, unchanged, on standard input; says when the agent's voice is there.
// The SDK writes its log to standard output as well, also after this line: hence the word in front.
import { Room, RoomEvent, dispose } from '@livekit/rtc-node';

const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const { server_url, participant_token } = JSON.parse(Buffer.concat(chunks));

const room = new Room();
const heard = new Promise((resolve) => {
  room.on(RoomEvent.TrackSubscribed, (_track, _publication, participant) => resolve(participant.identity));
});
await room.connect(server_url, participant_token, { autoSubscribe: true, dynacast: false });
const identity = await heard;
console.log('joined', JSON.stringify({ room: room.name, agent: identity, me: room.localParticipant.identity }));
await room.disconnect();
await dispose();
process.exit(0);
