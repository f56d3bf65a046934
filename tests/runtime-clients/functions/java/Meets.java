import com.amazonaws.services.lambda.runtime.Context;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.LinkedHashMap;
import java.util.Map;

/** Handlers that go on only when as many as are expected are there at the same time. */
public class Meets {
    public Map<String, Object> handler(Map<String, Object> event, Context context) throws Exception {
        String id = context.getAwsRequestId();
        Path place = Paths.get((String) event.get("place"));
        int expected = ((Number) event.get("expected")).intValue();
        Files.createFile(place.resolve(id));
        Map<String, Object> answer = new LinkedHashMap<>();
        answer.put("id", id);
        long until = System.currentTimeMillis() + 20_000;
        while (place.toFile().list().length < expected) {
            if (System.currentTimeMillis() > until) {
                answer.put("met", false);
                return answer;
            }
            Thread.sleep(10);
        }
        context.getLogger().log("met " + id + "\n");
        if (Boolean.TRUE.equals(event.get("fails"))) {
            throw new IllegalStateException("met " + id);
        }
        answer.put("met", true);
        return answer;
    }
}
