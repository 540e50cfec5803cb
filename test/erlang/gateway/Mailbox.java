import com.ericsson.otp.erlang.OtpErlangAtom;
import com.ericsson.otp.erlang.OtpErlangBinary;
import com.ericsson.otp.erlang.OtpErlangInt;
import com.ericsson.otp.erlang.OtpErlangMap;
import com.ericsson.otp.erlang.OtpErlangObject;
import com.ericsson.otp.erlang.OtpErlangPid;
import com.ericsson.otp.erlang.OtpErlangTuple;
import com.ericsson.otp.erlang.OtpMbox;
import com.ericsson.otp.erlang.OtpNode;

/**
 * A node of Erlang's Java library whose mailbox mod_megaphone answers requests: with their own body, "stats" with what
 * the gateway says of itself. Arguments: node name, cookie, gateway.
 */
class Mailbox {
  public static void main(String[] arguments) throws Exception {
    OtpNode node = new OtpNode(arguments[0], arguments[1]);
    OtpMbox mailbox = node.createMbox("mod_megaphone");
    System.out.println("ready");
    while (true) {
      OtpErlangObject message = mailbox.receive();
      if (!(message instanceof OtpErlangTuple request) || request.arity() != 2) continue;
      OtpErlangPid connId = (OtpErlangPid) request.elementAt(0);
      String body = new String(((OtpErlangBinary) request.elementAt(1)).binaryValue(), "UTF-8");
      String answer = body.equals("stats") ? stats(node, arguments[2]) : body;
      mailbox.send(connId, tuple(connId, new OtpErlangInt(200), new OtpErlangBinary(answer.getBytes("UTF-8"))));
    }
  }

  private static String stats(OtpNode node, String gateway) throws Exception {
    OtpMbox caller = node.createMbox();
    OtpErlangObject from = tuple(caller.self(), node.createRef());
    caller.send("megaphone", gateway, tuple(new OtpErlangAtom("$gen_call"), from, new OtpErlangAtom("stats")));
    OtpErlangTuple reply = (OtpErlangTuple) caller.receive();
    OtpErlangMap stats = (OtpErlangMap) reply.elementAt(1);
    OtpErlangMap nodes = (OtpErlangMap) stats.get(binary("nodes"));
    OtpErlangMap own = (OtpErlangMap) nodes.get(binary(node.node()));
    return own.get(binary("in_service")).toString();
  }

  private static OtpErlangBinary binary(String text) {
    return new OtpErlangBinary(text.getBytes());
  }

  private static OtpErlangTuple tuple(OtpErlangObject... elements) {
    return new OtpErlangTuple(elements);
  }
}
